//! Whoever has the tables changes one value, one row: `reconcile`, which `issuer check` and `audit fsck` call, names it. Tables and
//! columns come from the database's own catalogue, so that none can be forgotten.

use std::collections::BTreeMap;

use registry::parts::Work;
use registry::{Part, Reconciliation};
use sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection};

use crate::place::{Place, bench, dealer, now, on_both, wholesaler};

on_both! {
    every_column_of_every_table_is_compared
    every_row_of_every_table_is_accounted_for
}

/// Tables in which nothing is looked for: `schema_version` says by which text the tables were made. It is looked at when the books are
/// opened, no answer uses it, and its row 0 is a lock.
const WITHOUT_MEANING: [&str; 1] = ["schema_version"];

/// The tables' own connection, which no rule of the books keeps from anything.
enum Tables {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// A column: its name, whether it holds numbers, bytes or text, and whether it may be empty.
#[derive(Clone)]
struct Column {
    name: String,
    kind: String,
    empty: bool,
}

impl Tables {
    async fn of(place: &Place) -> Self {
        if place.server.is_some() {
            let mut conn = PgConnection::connect(&place.server_address()).await.unwrap();
            sqlx::raw_sql("SET session_replication_role = replica; CREATE SCHEMA kept")
                .execute(&mut conn)
                .await
                .unwrap();
            return Self::Postgres(conn);
        }
        let file = place.folder.path().join("books.sqlite");
        let mut conn =
            SqliteConnection::connect(&format!("sqlite:{}?mode=rwc", file.display())).await.unwrap();
        let kept = place.folder.path().join("kept.sqlite");
        let begin = format!("PRAGMA foreign_keys = OFF; ATTACH '{}' AS kept", kept.display());
        sqlx::raw_sql(sqlx::AssertSqlSafe(begin)).execute(&mut conn).await.unwrap();
        Self::Sqlite(conn)
    }

    async fn run(&mut self, text: &str) -> Result<u64, sqlx::Error> {
        let query = sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned()));
        match self {
            Self::Sqlite(conn) => query.execute(conn).await.map(|done| done.rows_affected()),
            Self::Postgres(conn) => query.execute(conn).await.map(|done| done.rows_affected()),
        }
    }

    /// Rows of texts.
    async fn read(&mut self, text: &str) -> Vec<Vec<Option<String>>> {
        let query = sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned()));
        match self {
            Self::Sqlite(conn) => {
                let rows = query.fetch_all(conn).await.unwrap();
                rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
            }
            Self::Postgres(conn) => {
                let rows = query.fetch_all(conn).await.unwrap();
                rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
            }
        }
    }

    /// Every table with its columns, the key first, as the database itself lists them; and a copy of each beside it.
    async fn catalogue(&mut self) -> BTreeMap<String, Vec<Column>> {
        let text = match self {
            Self::Sqlite(_) => {
                "SELECT m.name, c.name, lower(c.type), CASE WHEN c.\"notnull\" = 0 THEN 'YES' ELSE 'NO' END
                FROM main.sqlite_master m JOIN pragma_table_info(m.name) c
                WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, c.cid"
            }
            Self::Postgres(_) => {
                "SELECT table_name::text, column_name::text, data_type::text, is_nullable::text
                FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
            }
        };
        let mut tables = BTreeMap::<String, Vec<Column>>::new();
        for row in self.read(text).await {
            let [table, name, kind, empty] = <[_; 4]>::try_from(row).unwrap().map(Option::unwrap);
            tables.entry(table).or_default().push(Column { name, kind, empty: empty == "YES" });
        }
        for table in tables.keys() {
            self.run(&format!("CREATE TABLE kept.{table} AS SELECT * FROM {table}")).await.unwrap();
        }
        for table in WITHOUT_MEANING {
            assert!(tables.remove(table).is_some(), "{table}");
        }
        tables
    }

    /// Puts tables back as they were.
    async fn restore(&mut self, table: &str) {
        for table in [table, "counter"] {
            self.run(&format!("DELETE FROM {table}")).await.unwrap();
            self.run(&format!("INSERT INTO {table} SELECT * FROM kept.{table}")).await.unwrap();
        }
    }

    /// The keys of the first, the middle and the last row that fits a condition.
    async fn some_rows(&mut self, table: &str, key: &Column, condition: &str) -> Vec<String> {
        let name = &key.name;
        let keys = self
            .read(&format!("SELECT CAST({name} AS TEXT) FROM {table} WHERE {condition} ORDER BY {name}"))
            .await;
        let keys: Vec<String> =
            keys.into_iter().map(|mut row| key.literal(&row.remove(0).unwrap())).collect();
        let mut some: Vec<String> = [0, keys.len() / 2, keys.len().saturating_sub(1)]
            .into_iter()
            .filter_map(|place| keys.get(place).cloned())
            .collect();
        some.dedup();
        some
    }

    /// Other values for one that stands, as they are written in SQL; each is tried until the table takes one.
    async fn others(&mut self, table: &str, column: &Column, at: &str) -> Vec<String> {
        let name = &column.name;
        if column.is_number() {
            return vec![format!("{name} + 1"), format!("{name} + 1000000")];
        }
        let shown = match (column.is_bytes(), &self) {
            (true, Self::Sqlite(_)) => format!("hex({name})"),
            (true, Self::Postgres(_)) => format!("encode({name}, 'hex')"),
            (false, _) => name.clone(),
        };
        let value =
            self.read(&format!("SELECT {shown} FROM {table} WHERE {at}")).await[0][0].clone().unwrap();
        // The last letter or digit becomes another, so that what is JSON stays JSON.
        let place = value.rfind(|c: char| c.is_ascii_alphanumeric()).unwrap();
        let other = if &value[place..=place] == "8" { "7" } else { "8" };
        let (other, longer) =
            (format!("{}{other}{}", &value[..place], &value[place + 1..]), format!("{value}88"));
        let literal = |value: String| match (column.is_bytes(), &self) {
            (true, Self::Sqlite(_)) => format!("X'{value}'"),
            (true, Self::Postgres(_)) => format!("'\\x{value}'"),
            (false, _) => format!("'{}'", value.replace('\'', "''")),
        };
        vec![literal(other), literal(longer)]
    }
}

impl Column {
    fn is_number(&self) -> bool {
        matches!(self.kind.as_str(), "bigint" | "integer")
    }

    fn is_bytes(&self) -> bool {
        self.kind == "bytea"
    }

    fn literal(&self, value: &str) -> String {
        if self.is_number() { value.to_owned() } else { format!("'{}'", value.replace('\'', "''")) }
    }
}

/// Books with something in every table and in every column.
async fn fill(place: &Place) {
    crate::check::fill(place, 12).await;
    let codes = place.issue(&crate::place::run("AC0001", 3)).await;
    place.ship("AC0001").await;
    let (pin, dealer) = (Part::FiringPin, dealer());
    place.registered(&dealer).await;
    place.registered(&wholesaler()).await;
    let removed =
        place.change("AC0001", Work::Removed { part: pin, code: codes[0].code }, &dealer, "2024-03-01");
    place.enter(&removed.sign(&bench(&dealer)).unwrap()).await.unwrap();
    let by = "clerk".parse().unwrap();
    let spare = place.books.issue_part(pin, None, &by, now()).await.unwrap();
    let fitted = place.change("AC0001", Work::Fitted { part: pin, code: spare }, &dealer, "2024-03-02");
    place.enter(&fitted.sign(&bench(&dealer)).unwrap()).await.unwrap();
    let (key, reason) = (bench(&wholesaler()), "the key was lost".parse().unwrap());
    place.books.revoke_key(key.verifier(), &reason, &by, now()).await.unwrap();
    let mut other = crate::place::description();
    other.calibre = ".40 S&W".parse().unwrap();
    let correction = registry::Correction {
        firearm: place.key("AC0002"),
        entry: place.books.history(&place.key("AC0002")).await.unwrap().unwrap().entries[0].number,
        becomes: None,
        description: Some(other),
        reason: "the wrong barrel was written down".parse().unwrap(),
    };
    place.books.correct(&correction, &by, now()).await.unwrap();
    place.books.trace(&crate::outage::question(codes[2].code), now()).await.unwrap();
    place.books.open_block("K8".parse().unwrap(), &"clerk example".parse().unwrap(), now()).await.unwrap();
}

async fn found(place: &Place, what: &str) -> Reconciliation {
    place.books.reconcile().await.unwrap_or_else(|error| panic!("{what}: {error}"))
}

async fn every_column_of_every_table_is_compared(place: Place) {
    fill(&place).await;
    let mut tables = Tables::of(&place).await;
    let catalogue = tables.catalogue().await;
    let mut unseen = Vec::new();
    for (table, columns) in &catalogue {
        let key = &columns[0];
        for column in columns {
            let name = &column.name;
            let mut changes = Vec::new();
            for row in tables.some_rows(table, key, &format!("{name} IS NOT NULL")).await {
                let at = format!("{} = {row}", key.name);
                let others = tables.others(table, column, &at).await;
                changes.push((at.clone(), others));
                if column.empty {
                    changes.push((at, vec!["NULL".to_owned()]));
                }
            }
            assert!(!changes.is_empty(), "{table}.{name} is empty in these books");
            if column.empty {
                let value = if column.is_number() { "1" } else { "'{}'" };
                for row in tables.some_rows(table, key, &format!("{name} IS NULL")).await {
                    changes.push((
                        format!("{} = {row}", key.name),
                        vec![value.to_owned(), "1000000".to_owned()],
                    ));
                }
            }
            for (at, others) in changes {
                let mut changed = None;
                for other in others {
                    let text = format!("UPDATE {table} SET {name} = {other} WHERE {at}");
                    if let Ok(1) = tables.run(&text).await {
                        changed = Some(text);
                        break;
                    }
                }
                let changed =
                    changed.unwrap_or_else(|| panic!("{table}.{name} where {at} takes no other value"));
                if found(&place, &changed).await.agrees() {
                    unseen.push(changed);
                }
                tables.restore(table).await;
            }
        }
    }
    assert!(unseen.is_empty(), "not seen:\n{}", unseen.join("\n"));
    let found = found(&place, "in the end").await;
    assert!(found.agrees() && found.agreed == found.log_entries, "everything was undone: {found:?}");
}

async fn every_row_of_every_table_is_accounted_for(place: Place) {
    fill(&place).await;
    let mut tables = Tables::of(&place).await;
    let catalogue = tables.catalogue().await;
    let mut unseen = Vec::new();
    for (table, columns) in &catalogue {
        let key = &columns[0];
        let rows = tables.some_rows(table, key, "1 = 1").await;
        assert!(!rows.is_empty(), "{table} is empty in these books");
        let mut changes: Vec<Vec<String>> =
            rows.iter().map(|row| vec![format!("DELETE FROM {table} WHERE {} = {row}", key.name)]).collect();
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        // A copy of a row under another key; where something else must be unique, with all else changed.
        let added = |all: bool| {
            let value = |(place, column): (usize, &Column)| match (place == 0 || all, column.is_number()) {
                (false, _) => column.name.clone(),
                (true, true) if place == 0 => format!("(SELECT MAX({0}) FROM {table}) + 1", column.name),
                (true, true) => format!("{} + 1000000", column.name),
                (true, false) if column.is_bytes() => column.name.clone(),
                (true, false) => format!("{} || 'x'", column.name),
            };
            let values: Vec<String> = columns.iter().enumerate().map(value).collect();
            let (names, values, key) = (names.join(", "), values.join(", "), &key.name);
            format!("INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE {key} = {}", rows[0])
        };
        changes.push(vec![added(false), added(true)]);
        for ways in changes {
            // The counter is moved along, and left as it was.
            for by in [0, if ways[0].starts_with("DELETE") { -1 } else { 1 }] {
                let mut changed = None;
                for text in &ways {
                    if let Ok(1) = tables.run(text).await {
                        changed = Some(text);
                        break;
                    }
                }
                let changed = changed.unwrap_or_else(|| panic!("{table} takes neither of {ways:?}"));
                let counter = format!("UPDATE counter SET next = next + {by} WHERE name = '{table}'");
                if by != 0 && tables.run(&counter).await.unwrap() == 0 {
                    tables.restore(table).await;
                    continue;
                }
                let found = found(&place, changed).await;
                // What is in the log and wrote nothing cannot be told from an act that a crash cut off, and is listed as such.
                let listed =
                    matches!(table.as_str(), "record" | "logged") && !found.without_effect.is_empty();
                if found.agrees() && !listed {
                    unseen.push(format!("{changed}, counter moved by {by}"));
                }
                tables.restore(table).await;
            }
        }
    }
    assert!(unseen.is_empty(), "not seen:\n{}", unseen.join("\n"));
    assert!(found(&place, "in the end").await.agrees(), "everything was undone");
}
