"""Media types of files by their names: one table, the same on every machine (the system's mime.types is not read).

Text is declared as UTF-8; XML says its encoding itself. What is not listed is a download, ``application/octet-stream``.
"""

from __future__ import annotations

from posixpath import splitext

UNKNOWN = "application/octet-stream"

_SUFFIXES = {
    "text/html": "html htm shtml",
    "text/css": "css",
    "text/javascript": "js mjs cjs",
    "text/plain": "txt text log conf",
    "text/markdown": "md markdown",
    "text/csv": "csv",
    "text/calendar": "ics",
    "text/vtt": "vtt",
    "text/vcard": "vcf",
    "text/xml": "xml",
    "text/xsl": "xsl xslt",
    "text/mathml": "mml",
    "text/x-component": "htc",
    "application/json": "json map",
    "application/geo+json": "geojson",
    "application/ld+json": "jsonld",
    "application/manifest+json": "webmanifest",
    "application/wasm": "wasm",
    "application/xhtml+xml": "xhtml",
    "application/rss+xml": "rss",
    "application/atom+xml": "atom",
    "application/yaml": "yaml yml",
    "application/toml": "toml",
    "application/sql": "sql",
    "application/pdf": "pdf",
    "application/rtf": "rtf",
    "application/postscript": "ps eps ai",
    "application/epub+zip": "epub",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.oasis.opendocument.graphics": "odg",
    "application/vnd.apple.mpegurl": "m3u8",
    "application/vnd.google-earth.kml+xml": "kml",
    "application/vnd.google-earth.kmz": "kmz",
    "application/vnd.ms-fontobject": "eot",
    "application/java-archive": "jar war ear",
    "application/vnd.android.package-archive": "apk",
    "application/gzip": "gz tgz",
    "application/zstd": "zst",
    "application/zip": "zip",
    "application/x-7z-compressed": "7z",
    "application/x-bzip2": "bz2",
    "application/x-xz": "xz",
    "application/x-rar-compressed": "rar",
    "application/x-tar": "tar",
    "application/x-sh": "sh",
    "application/x-x509-ca-cert": "der pem crt",
    "image/png": "png",
    "image/apng": "apng",
    "image/jpeg": "jpg jpeg jfif",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/jxl": "jxl",
    "image/heic": "heic",
    "image/svg+xml": "svg",
    "image/tiff": "tif tiff",
    "image/bmp": "bmp",
    "image/x-icon": "ico cur",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "font/ttf": "ttf",
    "font/otf": "otf",
    "font/collection": "ttc",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "audio/ogg": "ogg oga opus",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/webm": "weba",
    "audio/midi": "mid midi kar",
    "video/mp4": "mp4 m4v",
    "video/webm": "webm",
    "video/ogg": "ogv",
    "video/mpeg": "mpeg mpg",
    "video/mp2t": "ts",
    "video/quicktime": "mov",
    "video/3gpp": "3gp 3gpp",
    "video/x-msvideo": "avi",
    "video/x-flv": "flv",
    "video/x-matroska": "mkv",
    "video/x-ms-wmv": "wmv",
    "model/gltf+json": "gltf",
    "model/gltf-binary": "glb",
}
_BY_SUFFIX = {f".{suffix}": media_type for media_type, listed in _SUFFIXES.items() for suffix in listed.split()}
_BY_NAME = {"apple-app-site-association": "application/json"}
_SAYS_ITS_OWN_ENCODING = frozenset({"text/xml", "text/xsl", "text/mathml"})
_DENSE_SUFFIXES = "gz tgz zst zip 7z bz2 xz rar epub jar war ear apk kmz woff woff2 docx xlsx pptx odt ods odp odg"
_DENSE = frozenset(_BY_SUFFIX[f".{suffix}"] for suffix in _DENSE_SUFFIXES.split())
_OPEN_IMAGES = frozenset({"image/svg+xml", "image/bmp", "image/x-icon", "image/tiff"})


def media_type(name: str) -> str:
    """The media type of a file called ``name``, without parameters."""
    last = name.rpartition("/")[2]
    return _BY_NAME.get(last) or _BY_SUFFIX.get(splitext(last)[1].lower(), UNKNOWN)


def content_type(name: str) -> str:
    """The value of Content-Type for a file called ``name``: its media type, and the charset where it is text."""
    found = media_type(name)
    if found.startswith("text/") and found not in _SAYS_ITS_OWN_ENCODING:
        return f"{found}; charset=utf-8"
    return found


def compressible(name: str) -> bool:
    """Whether a content coding can make such a file smaller: pictures, sound and archives are dense already."""
    found = media_type(name)
    family = found.partition("/")[0]
    return found in _OPEN_IMAGES or (family not in ("image", "audio", "video") and found not in _DENSE)
