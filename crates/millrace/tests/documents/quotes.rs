//! Quotations of sources.

use super::pages;

/// Which file a page quotes.
const SOURCES: [(&str, &str); 3] = [
    ("docs/add-a-context.md", "crates/millrace/src/contexts.rs"),
    ("docs/library.md", "crates/millrace/examples/blog.rs"),
    ("docs/policies.md", "crates/domain/src/bank/bonus.rs"),
];
/// What a block of code is, if it is no sketch.
const QUOTATION: &str = "rust,ignore";
/// Stands in a line of its own where the page leaves something out.
const LEFT_OUT: &str = "\n..\n";

/// Pages have longer lines than sources: how code is broken into lines does not count.
fn dense(code: &str) -> String {
    let text: String = code.split_whitespace().collect();
    text.replace(",)", ")")
        .replace(",]", "]")
        .replace(",}", "}")
}

/// Whether the parts stand in the source, one behind the other.
fn is_quoted(quotation: &str, source: &str) -> bool {
    let lines: Vec<_> = quotation.lines().map(str::trim).collect();
    let quotation = lines.join("\n");
    let source = dense(source);
    let mut rest = source.as_str();
    for part in quotation.split(LEFT_OUT) {
        let part = dense(part);
        let Some(at) = rest.find(&part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    true
}

#[test]
fn what_is_quoted_stands_in_the_source() {
    for page in pages::all() {
        for block in pages::blocks(&page) {
            if block.info != QUOTATION {
                continue;
            }
            let source = SOURCES.iter().find(|(quoting, _)| *quoting == page);
            let (_, source) = source.unwrap_or_else(|| panic!("{page} quotes nothing known"));
            assert!(
                is_quoted(&block.text, &pages::read(source)),
                "{}: this does not stand in `{source}`:\n{}",
                block.place(),
                block.text
            );
        }
    }
}

#[test]
fn a_quotation_that_is_not_true_is_found() {
    let source = "fn f() {\n    g(\n        1,\n    );\n    h();\n    i();\n}";
    for (quotation, is_true) in [
        ("fn f() {\n    g(1);\n    h();", true),
        ("fn f() {\n    g(1);\n    ..\n    i();\n}", true),
        ("fn f() {\n    g(2);", false),
        ("h();\n..\ng(1);", false),
    ] {
        assert_eq!(is_quoted(quotation, source), is_true, "{quotation}");
    }
}
