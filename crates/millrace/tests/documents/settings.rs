//! The page of settings is made of what the program says of them.

use std::process::Command;

use super::pages;

const PAGE: &str = "docs/settings.md";
/// What stands between these lines is made here.
const BEGIN: &str = "<!-- from here on made from `millrace check-config --defaults` -->\n";
const END: &str = "<!-- up to here -->\n";
/// Set, it has the page written anew.
const WRITE: &str = "WRITE_PAGES";

/// One setting, as `check-config --defaults` describes it.
#[derive(Debug)]
struct Described<'t> {
    key: &'t str,
    variable: &'t str,
    kind: &'t str,
    default: Option<&'t str>,
    meaning: &'t str,
}

impl<'t> Described<'t> {
    /// `# meaning (kind)`, `# key: VARIABLE`, and unless it is a group of settings `key = "default"`.
    fn of(paragraph: &'t str) -> Self {
        let mut lines = paragraph.lines();
        let mut comment = || lines.next()?.strip_prefix("# ");
        let (meaning, kind) = comment()
            .and_then(|line| line.strip_suffix(')')?.rsplit_once(" ("))
            .unwrap_or_else(|| panic!("no meaning and kind: {paragraph}"));
        let (key, variable) = comment()
            .and_then(|line| line.split_once(": "))
            .unwrap_or_else(|| panic!("no variable: {paragraph}"));
        let default = lines.next().map(|line| {
            let value = line.strip_prefix(key).and_then(|it| it.strip_prefix(" = "));
            let value = value.unwrap_or_else(|| panic!("no default: {paragraph}"));
            value.trim_matches('"')
        });
        Self {
            key,
            variable,
            kind,
            default,
            meaning,
        }
    }

    /// The first part of its name where that has many, or what it is among the rest.
    fn section(&self) -> &'t str {
        let parts: Vec<_> = self.key.split('.').collect();
        match parts[..] {
            [.., "start"] => "start",
            [section @ ("kafka" | "scylla" | "smtp" | "bonus"), ..] => section,
            _ => "general",
        }
    }

    fn row(&self) -> String {
        let default = match self.default {
            Some("") => "empty".to_owned(),
            Some(default) => format!("`{default}`"),
            None => String::new(),
        };
        let Self {
            key,
            variable,
            kind,
            meaning,
            ..
        } = self;
        assert!(!meaning.contains('|') && !kind.contains('|'), "{self:?}");
        format!("| `{key}` | {default} | {kind} | `{variable}` | {meaning} |\n")
    }
}

fn made() -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_millrace"));
    let ours =
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MILLRACE_"));
    for (name, _) in ours {
        program.env_remove(name);
    }
    let output = program
        .args(["check-config", "--defaults"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut sections: Vec<(&str, String)> = Vec::new();
    for paragraph in text.trim_end().split("\n\n") {
        let setting = Described::of(paragraph);
        let row = setting.row();
        match sections
            .iter_mut()
            .find(|(name, _)| *name == setting.section())
        {
            Some((_, rows)) => rows.push_str(&row),
            None => sections.push((setting.section(), row)),
        }
    }
    let tables = sections.into_iter().map(|(name, rows)| {
        let header = "| setting | default | takes | variable | meaning |";
        format!("\n## {name}\n\n{header}\n| --- | --- | --- | --- | --- |\n{rows}")
    });
    tables.collect::<String>() + "\n"
}

#[test]
fn the_page_of_settings_says_what_the_program_says() {
    let page = pages::read(PAGE);
    let (before, rest) = page.split_once(BEGIN).expect(BEGIN);
    let (stands, after) = rest.split_once(END).expect(END);
    let made = made();
    if std::env::var_os(WRITE).is_some() {
        let page = format!("{before}{BEGIN}{made}{END}{after}");
        std::fs::write(pages::root().join(PAGE), page).unwrap();
        return;
    }
    assert!(
        stands == made,
        "{PAGE} is not what the program says; to write it anew:\n\
         {WRITE}=1 cargo test --workspace --test documents settings\n{made}"
    );
}
