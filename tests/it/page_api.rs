//! The answers for programs: the OpenAPI document names every answer, and every answer is as it says.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::page::{HISTORY, Response, Served};

/// What is asked behind `?` where an answer needs it. `HOST` and `SAMPLE` stand for one that the history has.
const QUESTIONS: [(&str, &[&str]); 3] = [
    ("/api/v1/host", &["address=HOST"]),
    ("/api/v1/sample", &["id=SAMPLE"]),
    (
        "/api/v1/series",
        &[
            "filter=445/tcp&from=2020-02-01",
            "by=hour&from=2020-02-01&to=2020-02-02",
            "by=week&sensor=north&sensor=south&filter=445/tcp&filter=icmp",
            "source=100.64.0.0/10&by=all",
        ],
    ),
];

fn document(served: &Served) -> Value {
    let response = served.get("/api/v1/openapi.json");
    assert!(response.head.contains("application/json"), "{}", response.head);
    serde_json::from_str(&response.body).unwrap()
}

fn questions(served: &Served, path: &str) -> Vec<String> {
    let found = QUESTIONS.iter().find(|(known, _)| *known == path).map_or(&[""][..], |(_, asked)| asked);
    let hosts = served.get("/ports/445/tcp?export=hosts").body;
    let host = hosts.lines().nth(1).and_then(|line| line.split(',').next()).unwrap();
    found
        .iter()
        .map(|asked| asked.replace("HOST", host).replace("SAMPLE", "00112233445566778899aabbccddeeff"))
        .collect()
}

/// Checks a value against the part of JSON Schema that the document uses.
fn fault(value: &Value, schema: &Value) -> Option<String> {
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let is = |kind: &&str| match *kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    if !kinds.iter().any(is) {
        return Some(format!("{value} is not one of {kinds:?}"));
    }
    let (Some(fields), Some(known)) = (value.as_object(), schema["properties"].as_object()) else {
        return None;
    };
    fields.iter().find_map(|(name, value)| match known.get(name) {
        None => Some(format!("`{name}` is not described")),
        Some(schema) => fault(value, schema).map(|fault| format!("`{name}`: {fault}")),
    })
}

fn check_lines(path: &str, response: &Response, schema: &Value) {
    for line in response.body.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(fault(&value, schema), None, "{path}: {line}");
        assert_eq!(value["schema"], 1, "{path}");
    }
}

#[test]
fn every_answer_is_as_the_document_says() {
    let served = Served::new(&HISTORY.1);
    let document = document(&served);
    let paths = document["paths"].as_object().unwrap();
    for (path, methods) in paths {
        let operation = &methods["get"];
        let content = operation["responses"]["200"]["content"].as_object().unwrap();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let formats = parameters.iter().find(|parameter| parameter["name"] == "format");
        let is_slow = path == "/api/v1/correlate";
        for asked in questions(&served, path).iter().take(if is_slow { 1 } else { usize::MAX }) {
            let response = served.get(&format!("{path}?{asked}"));
            assert_eq!(response.status, 200, "{path}?{asked}: {}", response.body);
            assert!(content.keys().any(|kind| response.head.contains(kind)), "{path}: {}", response.head);
            if let Some(reference) = content.get("application/x-ndjson") {
                let name = reference["schema"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
                check_lines(path, &response, &document["components"]["schemas"][name]);
            }
        }
        let Some(formats) = formats.filter(|_| !is_slow) else { continue };
        let formats: Vec<&str> =
            formats["schema"]["enum"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let asked = questions(&served, path).swap_remove(0);
        for format in ["json", "csv", "svg", "png"] {
            let response = served.get(&format!("{path}?{asked}&format={format}"));
            let expected = if formats.contains(&format) { 200 } else { 400 };
            assert_eq!(response.status, expected, "{path} as {format}");
        }
        for needed in parameters.iter().filter(|parameter| parameter["required"] == true) {
            assert_eq!(served.get(path).status, 400, "{path} without {}", needed["name"]);
        }
    }
}

#[test]
fn the_document_and_the_index_name_the_same_answers_and_parameters() {
    let served = Served::new(&HISTORY.1);
    let document = document(&served);
    let mut described: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    for own in ["/api/v1", "/api/v1/openapi.json"] {
        assert!(described.remove(own), "{own} is not described");
    }
    let index = served.get("/api/v1").body;
    let listed = index.lines().filter(|line| line.starts_with("/api/v1/") && !line.contains("describes"));
    let mut found = BTreeSet::new();
    for line in listed {
        let (path, asked) = line.split_once("  ? ").unwrap_or((line, ""));
        let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        for parameter in parameters.iter().filter(|parameter| parameter["name"] != "format") {
            let name = parameter["name"].as_str().unwrap();
            assert!(asked.contains(name), "{line} does not name {name}");
        }
        found.insert(path.to_owned());
    }
    assert_eq!(found, described);
    assert!(served.get("/help").body.contains("\"/api/v1/openapi.json\""));
}
