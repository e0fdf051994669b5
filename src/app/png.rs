//! Use case: convert an SVG picture to PNG, for papers and messengers that do not accept SVG.

use super::AppError;

/// Converts an SVG picture of `render` to PNG, with two pixels per SVG unit. Text is set in a font of the
/// system.
///
/// # Errors
/// When the system has no font, or the picture would exceed the maximum size of a PNG.
#[cfg(feature = "png")]
pub fn png(picture: &str) -> Result<Vec<u8>, AppError> {
    use resvg::tiny_skia::{Pixmap, Transform};
    use resvg::usvg::{Options, Tree};

    /// Pixels per SVG unit: sharp on a screen of twice the usual resolution; in print, half a page wide at
    /// 300 dots per inch.
    const SCALE: f32 = 2.0;

    let failed =
        |reason: String| AppError::Usage(format!("no PNG could be made: {reason}; write SVG instead"));
    let mut options = Options::default();
    let fonts = options.fontdb_mut();
    fonts.load_system_fonts();
    let Some(family) = fonts.faces().find_map(|face| face.families.first()).map(|(name, _)| name.clone())
    else {
        return Err(failed("the system has no font (on Debian, `apt install fonts-dejavu-core`)".to_owned()));
    };
    // Where the system names no font for `sans-serif`, or one that is not installed, another font is used.
    let named = fonts.family_name(&resvg::usvg::fontdb::Family::SansSerif).to_owned();
    let has = |name: &str| fonts.faces().any(|face| face.families.iter().any(|(known, _)| known == name));
    if !has(&named) {
        let known = ["DejaVu Sans", "Liberation Sans", "Noto Sans"].into_iter().find(|name| has(name));
        let family = known.map_or(family, str::to_owned);
        fonts.set_sans_serif_family(family);
    }
    let tree = Tree::from_str(picture, &options).map_err(|error| failed(error.to_string()))?;
    let size = tree.size().to_int_size().scale_by(SCALE);
    let pixels = size.and_then(|size| Pixmap::new(size.width(), size.height()));
    let mut pixels = pixels.ok_or_else(|| failed("it is too large".to_owned()))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| failed(error.to_string()))
}

/// Returns an error, because this build has no PNG support.
///
/// # Errors
/// Always.
#[cfg(not(feature = "png"))]
pub fn png(_picture: &str) -> Result<Vec<u8>, AppError> {
    let message = "this inga was built without PNG: install it with `cargo install --path . --features png`, or write SVG";
    Err(AppError::Usage(message.to_owned()))
}
