"""Typed async client of the venue.

```python
async with HttpRoad("https://api.hyperliquid-testnet.xyz") as road:
    info = Info(road, limiter=WeightBudget())
    assets = await Assets.load(info)
    exchange = Exchange(road, Signer.from_key("0x…"), network="testnet", assets=assets)
    print(await exchange.order(OrderRequest(coin="ETH", is_buy=True, size="0.01", price="3000", tif="Ioc")))
```

- `http`: the road that both use; `stream`: typed feeds and the same road over a WebSocket; `ws`: frames as bytes.
- `info`: reads, with the shapes of `markets` and `accounts`; `exchange`: signed actions, with `outcomes` item by item.
- `metadata`: names, ids, lots and ticks; `limits`: what requests cost; `numbers`: exact amounts.

Import from the modules: this one is empty, so that the engine loads what it uses and nothing more.
"""
