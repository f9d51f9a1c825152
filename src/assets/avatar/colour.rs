//! Colours and the measures that keep them apart: WCAG luminance and distance in `OKLab`.

use tiny_skia::Color;

/// An opaque sRGB colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    /// The colour as `0xRRGGBB` reads it.
    pub const fn hex(value: u32) -> Self {
        let [_, red, green, blue] = value.to_be_bytes();
        Self(red, green, blue)
    }

    /// This colour moved towards `other` by `percent` of the way.
    pub fn mix(self, other: Self, percent: u16) -> Self {
        let percent = percent.min(100);
        let channel = |from: u8, to: u8| {
            let sum = u16::from(from) * (100 - percent) + u16::from(to) * percent;
            u8::try_from((sum + 50) / 100).unwrap_or(u8::MAX)
        };
        Self(
            channel(self.0, other.0),
            channel(self.1, other.1),
            channel(self.2, other.2),
        )
    }

    /// How different the two look: the distance in `OKLab`, about 1 from black to white.
    pub fn distance(self, other: Self) -> f32 {
        let (a, b) = (self.oklab(), other.oklab());
        a.iter()
            .zip(b)
            .map(|(x, y)| (x - y).powi(2))
            .sum::<f32>()
            .sqrt()
    }

    /// The colour for the rasterizer, `alpha` of 255 being opaque.
    pub fn paint(self, alpha: u8) -> Color {
        Color::from_rgba8(self.0, self.1, self.2, alpha)
    }

    fn linear(self) -> [f32; 3] {
        [self.0, self.1, self.2].map(|channel| {
            let value = f32::from(channel) / 255.0;
            if value <= 0.040_45 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        })
    }

    /// Relative luminance as WCAG 2 defines it, 0 to 1.
    pub fn luminance(self) -> f32 {
        dot([0.2126, 0.7152, 0.0722], self.linear())
    }

    fn oklab(self) -> [f32; 3] {
        let linear = self.linear();
        let cones = [
            dot([0.412_221_46, 0.536_332_55, 0.051_445_995], linear).cbrt(),
            dot([0.211_903_5, 0.680_699_5, 0.107_396_96], linear).cbrt(),
            dot([0.088_302_46, 0.281_718_85, 0.629_978_7], linear).cbrt(),
        ];
        [
            dot([0.210_454_26, 0.793_617_8, -0.004_072_047], cones),
            dot([1.977_998_5, -2.428_592_2, 0.450_593_7], cones),
            dot([0.025_904_037, 0.782_771_77, -0.808_675_77], cones),
        ]
    }
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
