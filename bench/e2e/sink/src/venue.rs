//! What the sink says in the venue's name: market metadata, account state, order statuses. No signature is checked here;
//! the simulator does that, and its runs prove the same bytes right.

use serde::Deserialize;
use serde_json::value::RawValue;

pub const COIN: &str = "ETH";
pub const PRICE: &str = "3000";
const META: &str = include_str!("answers/meta.json");
const CONTEXTS: &str = include_str!("answers/asset_contexts.json");
const SPOT_META: &str = include_str!("answers/spot_meta.json");
const MIDS: &str = r#"{"BTC":"90000","ETH":"3000","SOL":"150"}"#;

/// Order flow as posts and /exchange bodies carry it.
#[derive(Deserialize)]
pub struct Body<'a> {
    #[serde(borrow)]
    pub action: Action<'a>,
}

#[derive(Deserialize)]
pub struct Action<'a> {
    #[serde(rename = "type")]
    pub kind: &'a str,
    #[serde(default, borrow)]
    pub orders: Vec<Order<'a>>,
}

#[derive(Deserialize)]
pub struct Order<'a> {
    #[serde(rename = "b")]
    pub is_buy: bool,
    #[serde(rename = "s")]
    pub size: &'a str,
    #[serde(rename = "c")]
    pub cloid: Option<&'a str>,
}

#[derive(Deserialize)]
pub struct Inbound<'a> {
    pub method: &'a str,
    pub id: Option<u64>,
    #[serde(borrow)]
    pub subscription: Option<&'a RawValue>,
    #[serde(borrow)]
    pub request: Option<Post<'a>>,
}

#[derive(Deserialize)]
pub struct Post<'a> {
    #[serde(rename = "type")]
    pub kind: &'a str,
    #[serde(borrow)]
    pub payload: &'a RawValue,
}

#[derive(Deserialize)]
pub struct Subscription<'a> {
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub user: Option<&'a str>,
}

#[derive(Deserialize)]
struct InfoRequest<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    user: Option<&'a str>,
}

/// The payload that answers one action: every order filled in full at the leader's price.
pub fn settle(action: &Action<'_>, next_oid: &mut u64) -> String {
    if action.kind != "order" {
        return r#"{"status":"ok","response":{"type":"default"}}"#.to_owned();
    }
    let mut statuses = String::with_capacity(160 * action.orders.len());
    for order in &action.orders {
        if !statuses.is_empty() {
            statuses.push(',');
        }
        *next_oid += 1;
        let cloid = order.cloid.map(|text| format!(r#","cloid":"{text}""#)).unwrap_or_default();
        statuses.push_str(&format!(
            r#"{{"filled":{{"totalSz":"{}","avgPx":"{PRICE}","oid":{next_oid}{cloid}}}}}"#,
            order.size
        ));
    }
    format!(r#"{{"status":"ok","response":{{"type":"order","data":{{"statuses":[{statuses}]}}}}}}"#)
}

/// Accounts as the sink knows them: all followers mirror the leader at ratio 1.
pub struct Accounts<'a> {
    pub leader: &'a str,
    /// Size held, "0" when flat.
    pub leader_position: &'a str,
    pub follower_position: &'a str,
    /// lower-case agent address → account
    pub agents: &'a std::collections::HashMap<String, String>,
    pub now_ms: u64,
}

impl Accounts<'_> {
    /// The body that answers one /info request; `null` for a kind nobody here asks for.
    pub fn info(&self, body: &[u8]) -> String {
        let Ok(request) = serde_json::from_slice::<InfoRequest<'_>>(body) else { return "null".to_owned() };
        let user = request.user.unwrap_or("").to_ascii_lowercase();
        match request.kind {
            "meta" => META.to_owned(),
            "metaAndAssetCtxs" => format!("[{META},{CONTEXTS}]"),
            "allPerpMetas" => format!("[{META}]"),
            "spotMeta" => SPOT_META.to_owned(),
            "spotMetaAndAssetCtxs" => format!("[{SPOT_META},[]]"),
            "perpDexs" => "[null]".to_owned(),
            "allMids" => MIDS.to_owned(),
            "exchangeStatus" => format!(r#"{{"time":{},"specialStatuses":null}}"#, self.now_ms),
            "clearinghouseState" => self.state(&user),
            "spotClearinghouseState" => r#"{"balances":[]}"#.to_owned(),
            "activeAssetData" => r#"{"leverage":{"type":"cross","value":20}}"#.to_owned(),
            "orderStatus" => r#"{"status":"unknownOid"}"#.to_owned(),
            "userRole" => match self.agents.get(&user) {
                Some(account) => format!(r#"{{"role":"agent","data":{{"user":"{account}"}}}}"#),
                None => r#"{"role":"user"}"#.to_owned(),
            },
            "userRateLimit" => {
                r#"{"cumVlm":"1000000.0","nRequestsUsed":1,"nRequestsCap":1010000,"nRequestsSurplus":0}"#.to_owned()
            }
            "l2Book" => format!(
                r#"{{"coin":"{COIN}","time":{},"levels":[[{{"px":"2999.9","sz":"100000","n":9}}],[{{"px":"3000.1","sz":"100000","n":9}}]]}}"#,
                self.now_ms
            ),
            "userAbstraction" => r#""disabled""#.to_owned(),
            "userFills"
            | "userFillsByTime"
            | "openOrders"
            | "frontendOpenOrders"
            | "extraAgents"
            | "subAccounts"
            | "historicalOrders"
            | "userFunding"
            | "userNonFundingLedgerUpdates" => "[]".to_owned(),
            _ => "null".to_owned(),
        }
    }

    fn state(&self, user: &str) -> String {
        let held = if user == self.leader { self.leader_position } else { self.follower_position };
        let positions = if held == "0" {
            String::new()
        } else {
            format!(
                r#"{{"type":"oneWay","position":{{"coin":"{COIN}","szi":"{held}","leverage":{{"type":"cross","value":20}},
                "entryPx":"{PRICE}","positionValue":"3000.0","unrealizedPnl":"0.0","returnOnEquity":"0.0","liquidationPx":null,
                "marginUsed":"150.0","maxLeverage":25,
                "cumFunding":{{"allTime":"0.0","sinceOpen":"0.0","sinceChange":"0.0"}}}}}}"#
            )
        };
        let summary =
            r#"{"accountValue":"1000000.0","totalNtlPos":"0.0","totalRawUsd":"1000000.0","totalMarginUsed":"0.0"}"#;
        format!(
            r#"{{"marginSummary":{summary},"crossMarginSummary":{summary},"crossMaintenanceMarginUsed":"0.0","withdrawable":"1000000.0","assetPositions":[{positions}],"time":{}}}"#,
            self.now_ms
        )
    }
}
