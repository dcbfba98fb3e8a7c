//! A list of public keys, one per line, written by the operator of a relay.

use super::error::ConfigError;
use data_encoding::HEXLOWER_PERMISSIVE;
use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

/// Longest list, in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// Reads a file of keys, 64 hexadecimal digits per line. Empty lines, and text after a `#`, are ignored.
pub fn read_key_list(file: &Path) -> Result<HashSet<[u8; 32]>, ConfigError> {
    let fault = |line: Option<usize>, problem: String, remedy: &str| ConfigError {
        file: file.to_owned(),
        line,
        key: None,
        problem,
        remedy: remedy.into(),
    };
    let mut text = String::new();
    let read = std::fs::File::open(file).and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text));
    if let Err(why) = read {
        let remedy = "name a file of keys, one a line, as `moongate twins` prints them";
        return Err(fault(None, format!("cannot be read ({why})"), remedy));
    }
    if text.len() as u64 > BYTES_MAX {
        return Err(fault(None, format!("is longer than {BYTES_MAX} bytes"), "take lines out"));
    }
    let mut keys = HashSet::new();
    for (line, text) in text.lines().enumerate() {
        let word = text.split('#').next().unwrap_or_default().trim();
        if word.is_empty() {
            continue;
        }
        match HEXLOWER_PERMISSIVE.decode(word.as_bytes()).ok().and_then(|key| key.try_into().ok()) {
            Some(key) => _ = keys.insert(key),
            None => {
                let word: String = word.chars().take(80).collect();
                let remedy = "write the 64 hexadecimal digits of a site's key, as `moongate twins` prints them";
                return Err(fault(Some(line + 1), format!("\"{word}\" is not a public key"), remedy));
            }
        }
    }
    if keys.is_empty() {
        return Err(fault(None, "names no key".into(), "add a key, or leave --allow out"));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<HashSet<[u8; 32]>, String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("our own");
        read_key_list(file.path()).map_err(|why| why.to_string().replace(&file.path().display().to_string(), "keys"))
    }

    #[test]
    fn keys_are_read_and_a_mistake_is_told_with_its_line_and_its_remedy() {
        let key = "0b".repeat(32);
        let found = read(&format!("# Dublin\n\n  {key}  # the square\r\n{}\n", key.to_uppercase()));
        assert_eq!(found, Ok([[11; 32]].into()));
        let wrong = read(&format!("{key}\n{key}0\n")).expect_err("65 digits");
        assert!(wrong.starts_with("keys:2: ") && wrong.contains("64 hexadecimal digits"), "{wrong}");
        assert!(read("# nobody\n").is_err_and(|why| why.contains("names no key")));
        let missing = read_key_list(Path::new("/nowhere/keys")).expect_err("there is no such file").to_string();
        assert!(missing.contains("/nowhere/keys: cannot be read"), "{missing}");
    }
}
