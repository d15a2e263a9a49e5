//! Just enough HTTP/1.1: one request at a time, bodies by Content-Length, connections kept alive.

/// A whole request at the start of a receive buffer.
pub struct Request {
    pub path: String,
    pub upgrade_key: Option<String>,
    pub body: std::ops::Range<usize>,
}

impl Request {
    /// Finds the next whole request; None when bytes are missing.
    pub fn next(buffer: &[u8]) -> Option<Self> {
        let head_end = memchr::memmem::find(buffer, b"\r\n\r\n")? + 4;
        let head = std::str::from_utf8(&buffer[..head_end]).unwrap_or("");
        let mut lines = head.split("\r\n");
        let path = lines.next()?.split(' ').nth(1).unwrap_or("/").to_owned();
        let (mut size, mut upgrade_key) = (0, None);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "content-length" => size = value.trim().parse().unwrap_or(0),
                "sec-websocket-key" => upgrade_key = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        let body = head_end..head_end + size;
        (buffer.len() >= body.end).then_some(Self { path, upgrade_key, body })
    }
}

/// Appends a 200 answer with a JSON body.
pub fn put_answer(out: &mut Vec<u8>, body: &[u8]) {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(body);
}
