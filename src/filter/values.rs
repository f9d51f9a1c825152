//! A request's values as an expression sees them.

use std::collections::HashMap;
use std::fmt;

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel::common::value::Val;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};

use super::judge::Malformed;

/// Values in a body. One of 64 KiB can have four times as many; none that people send has.
pub const MAX_VALUES: usize = 8192;

/// Any value.
pub type Boxed<'v> = Box<dyn Val + 'v>;

/// A text.
pub fn text(text: &str) -> Boxed<'_> {
    Box::new(CelString::from(text))
}

/// Names with texts.
pub fn texts(pairs: &[(String, String)]) -> Boxed<'_> {
    let map: HashMap<_, _> = pairs
        .iter()
        .map(|(name, value)| (name.as_str().into(), text(value)))
        .collect();
    Box::new(CelMap::from(map))
}

/// A body, of which texts are borrowed. Whole numbers are `int`, or `uint` if they are too large for
/// one; others are `double`. Nothing but no bytes is `null`.
///
/// # Errors
/// When there is none, it is no JSON, or has too many values.
pub fn body(bytes: Option<&[u8]>) -> Result<Boxed<'_>, Malformed> {
    let bytes = match bytes {
        None => return Err(Malformed::TooLarge),
        Some([]) => return Ok(Box::new(CelNull)),
        Some(bytes) => bytes,
    };
    // It lets no more than 128 levels through.
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let mut left = Some(MAX_VALUES);
    let read = Values(&mut left).deserialize(&mut reader);
    let read = read.and_then(|value| reader.end().map(|()| value));
    match (left, read) {
        (None, _) => Err(Malformed::TooLarge),
        (Some(_), read) => read.map_err(|_| Malformed::NoJson),
    }
}

/// Reads one value and those within it; `None` once there were more than it may read.
struct Values<'l>(&'l mut Option<usize>);

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = Boxed<'de>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        *self.0 = self.0.and_then(|left| left.checked_sub(1));
        match self.0 {
            Some(_) => reader.deserialize_any(self),
            None => Err(D::Error::custom("too many values")),
        }
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = Boxed<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Box::new(CelNull))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(Box::new(CelBool::from(truth)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Box::new(CelInt::from(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(match i64::try_from(number) {
            Ok(number) => Box::new(CelInt::from(number)),
            Err(_) => Box::new(CelUInt::from(number)),
        })
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Box::new(CelDouble::from(number)))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Box::new(CelString::from(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Box::new(CelString::from(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut read: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = read.next_element_seed(Values(&mut *self.0))? {
            list.push(value);
        }
        Ok(Box::new(CelList::from(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut read: A) -> Result<Self::Value, A::Error> {
        let mut map = HashMap::new();
        while let Some(Name(name)) = read.next_key()? {
            map.insert(name, read.next_value_seed(Values(&mut *self.0))?);
        }
        Ok(Box::new(CelMap::from(map)))
    }
}

/// The name of a field.
struct Name<'de>(CelMapKey<'de>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = CelMapKey<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(name.into())
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(name.to_owned().into())
            }
        }
        reader.deserialize_str(Text).map(Name)
    }
}
