"""Whom a credit names: "Ann feat. Bo", "Ann & Bo", and "Earth, Wind & Fire", who are one.

"feat." always parts a guest from whom it is a guest of. Other joints ("&", ",", "x", "with", …) do
so only where something tells that a part is an artist: it stands alone in the catalog at least as
often as the whole does, or it is the name that is asked for. Bands whose names only look joined
stay whole: well-known ones by name, and all whose last part begins with an article ("Florence +
The Machine") or says whose company it is ("& Sons"), unless that part is an artist itself, or who
leads the band is one of two names or more ("Bob Marley & The Wailers").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable

from musicu.catalog.folding import fold

#: Whether a part of a joined name is an artist: takes the part and the whole, both folded.
Stands = Callable[[str, str], bool]

_NOBODY = {"", "various artists", "various", "va", "v.a.", "unknown", "unknown artist", "[unknown]"}
_JOINTS = (
    r"&|\+|and|x|[×✕✖⨯]|vs\.?|versus|with|und|mit|et|avec|y|e|con|och|og|meets|presents|starring|"
    r"pres\."
)
_GUEST = r"(?:featuring\s+|f/\s*|(?:feat|ft)(?:\.\s*|\s+))(?=[^\s&+,/])"
_FEATURED = re.compile(rf"\s{_GUEST}")
_JOINT = re.compile(
    rf"\s*(?:[;|•、&+/]|,(?!\d{{3}}\b))\s*(?:and\s+|&\s*)?|\s+(?:(?:{_JOINTS})\s+|w/\s*)"
)
_BRACKETED = re.compile(rf"\s*[(\[{{]\s*((?:{_GUEST}|w/|(?:{_JOINTS})\s)[^)\]}}]*)(?:[)\]}}]|$)")
_IN_TITLE = re.compile(rf"\s*[(\[{{]\s*{_GUEST}([^)\]}}]*)[)\]}}]|\s{_GUEST}(.*?)(?=\s+[(\[{{-]|$)")
_INVERTED = re.compile(r"(.+), (the|a|an|der|die|das|les|los|las)")
_NUMBER = re.compile(
    r"(?:^|.*\s)(?:[\d.,/]+|one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|"
    r"forty|fifty|hundred|thousand|square|sq)"
)
_BAND = re.compile(r"(?:&|\+|and|y|und|et|e)\s+(?:the|los|las|les|die|os|tha|thee|da)\s")
_ENDING_ARTICLE = re.compile(r"(?:^|\s)(?:the|los|las|les|die|os)$")
_COMPANY = re.compile(r"(?:friends|(?:his|her|their)\s.*)$")
_KIN = re.compile(
    r"(?:sons?|co\.?|company|jr\.?|sr\.?|ii|iii|iv|inc\.?|ltd\.?|brothers|sisters|daughters?)$"
)
_BANDS = """
10,000 Maniacs; AC/DC; Aly & AJ; Angus & Julia Stone; Ashford & Simpson;
Banks & Steelz; Belle and Sebastian; Big & Rich; Blood, Sweat & Tears; Bob & Earl; Brick + Mortar;
Brooks & Dunn; C+C Music Factory; Captain & Tennille; Chad & Jeremy; Chas & Dave; Chase & Status;
Cheech & Chong; Coheed and Cambria; Crosby & Nash; Crosby, Stills & Nash;
Crosby, Stills, Nash & Young; Dan + Shay; Daryl Hall & John Oates; Delaney & Bonnie;
Dimitri Vegas & Like Mike; Earth, Wind & Fire; Emerson, Lake & Palmer; Emerson, Lake & Powell;
Ferrante & Teicher; Flanders & Swann; Flatt & Scruggs; For King & Country; Gilbert & Sullivan;
Godley & Creme; Hall & Oates; Ike & Tina Turner; Iron & Wine; Jan & Dean; K-Ci & JoJo;
Kruder & Dorfmeister; Lambert, Hendricks & Ross; Layo & Bushwacka!; Leiber & Stoller;
Loggins & Messina; Macklemore & Ryan Lewis; Matt and Kim; Medeski, Martin & Wood; Mel & Kim;
Milk & Bone; Mumford & Sons; Nico & Vinz; Nina & Frederik; Of Monsters and Men; Peaches & Herb;
Pepsi & Shirlie; Peter & Gordon; Peter, Björn and John; Peter, Paul & Mary; Ray, Goodman & Brown;
Robson & Jerome; Rodrigo y Gabriela; Sam & Dave; Santo & Johnny; Seals & Crofts; She & Him;
Simon & Garfunkel; Sly & Robbie; Smith & Myers; Sonny & Cher; Sonny Terry & Brownie McGhee;
Stock, Aitken & Waterman; Tegan and Sara; The Good, the Bad & the Queen; The Mamas & the Papas;
The Naked and Famous; Tyler, The Creator; Waylon & Willie; Wendy & Lisa; Womack & Womack;
Yarbrough & Peoples; Years & Years; Zager and Evans; Zig & Zag; Little Feat
"""


def artist_key(name: str | None) -> str:
    """A performer's name folded, without those featured; "" where it names nobody.

    "Beatles, The" is "the beatles".
    """
    return _key(_segments(fold(name))[0])


def credited(name: str | None, stands: Stands) -> list[str]:
    """The `artist_key`s of all whom a credit names, each once, in order; maybe none.

    stands: whether a part of a joined name is an artist, as the catalog or the question has it.
    """
    parts = [part for text in _segments(fold(name)) for part in _parted(text, stands)]
    return [key for key in dict.fromkeys(map(_key, parts)) if key]


def is_joined(name: str | None) -> bool:
    """Whether a credit may name several."""
    text = fold(name)
    return len(_segments(text)) > 1 or bool(_joints(text))


def any_of(names: Iterable[str], alone: Container[str] = ()) -> Callable[[str | None], bool]:
    """What says whether a credit names any of some artists, alone or with others.

    alone: `artist_key`s of whom the catalog knows to be an artist, beside those.
    """
    wanted = {_bare(key) for key in map(artist_key, names) if key}

    def stands(part: str, whole: str) -> bool:
        return _bare(part) in wanted or part in alone

    def named(name: str | None) -> bool:
        texts = [*_segments(fold(name)), *credited(name, stands)] if name else ()
        return any(_bare(_key(text)) in wanted for text in texts)

    return named


def guests_in(title: str | None) -> str:
    """Whom a title says to be featured, as a credit; "" for nobody."""
    text = fold(title)
    return " feat. ".join((found[1] or found[2]).strip() for found in _guests(text))


def without_guests(title: str) -> str:
    """A folded title without those whom it says to be featured."""
    for found in reversed(_guests(title)):
        title = title[: found.start()] + title[found.end() :]
    return title.strip()


def _guests(title: str) -> list[re.Match[str]]:
    """Where a folded title names guests: "6 ft. under" names none."""
    found = _IN_TITLE.finditer(title) if "f" in title else ()
    return [m for m in found if m[2] is None or not _is_length(title[: m.start()], m[0])]


def _is_length(before: str, joint: str) -> bool:
    return bool(_NUMBER.fullmatch(before)) and joint.lstrip().startswith("ft")


def _key(part: str) -> str:
    match = _INVERTED.fullmatch(part)
    key = f"{match[2]} {match[1]}" if match else part
    return "" if key in _NOBODY else key


def _segments(text: str) -> list[str]:
    """A folded credit parted at every "feat."; brackets around a guest or a joint are opened."""
    if any(bracket in text for bracket in "([{"):
        text = _BRACKETED.sub(r" \1 ", text).strip()
    if "f" not in text:
        return [text]
    parts, start, joint = [], 0, _FEATURED.search(text)
    while joint:
        before = text[start : joint.start()].strip()
        is_name = text[start : joint.end()].strip() in _WHOLE  # "Little Feat"
        if before and not is_name and (" " in before or not _is_length(before, joint[0])):
            parts.append(before)
            start = joint.end()
        joint = _FEATURED.search(text, joint.end() - 1)
    return [*parts, text[start:].strip()]


def _joints(text: str) -> list[re.Match[str]]:
    """Where a credit may be joined: neither "+44" is, nor "The E Street Band"."""
    found = [m for m in _JOINT.finditer(text) if m.start() and m.end() < len(text)]
    return [m for m in found if not _ENDING_ARTICLE.search(text, 0, m.start())]


def _parted(text: str, stands: Stands) -> list[str]:
    """A credit without "feat." in its parts, or whole."""
    joints = _joints(text)
    if not joints or _bare(text) in _WHOLE:
        return [text]
    starts = [0, *(joint.end() for joint in joints)]
    stops = [*(joint.start() for joint in joints), len(text)]
    parts, first = [], 0
    while first < len(starts):
        last = _last_of(text, starts, stops, first, stands)
        parts.append(text[starts[first] : stops[last]])
        first = last + 1
    if not any(stands(part, text) for part in parts):
        return [text]
    return [part for part in parts if part and not _COMPANY.match(part)]


def _last_of(text: str, starts: list[int], stops: list[int], first: int, stands: Stands) -> int:
    """The last piece of the artist who begins with a piece: the longest name that is known."""
    for last in range(len(starts) - 1, first, -1):
        span = text[starts[first] : stops[last]]
        if len(span) < len(text) and (_bare(span) in _WHOLE or stands(span, text)):
            return last
    last = first
    while last + 1 < len(starts):
        piece = text[starts[last + 1] : stops[last + 1]]
        joined = text[stops[last] : stops[last + 1]].strip()
        head = text[starts[first] : stops[last]]
        named = " " in head and stands(head, text)  # "Bob Marley", not the "Echo" of a band
        if not _KIN.match(piece) and (named or stands(piece, text) or not _BAND.match(joined)):
            break
        last += 1
    return last


def _bare(text: str) -> str:
    """A name without its joints: "simon & garfunkel" and "simon and garfunkel" are one."""
    for joint in reversed(_joints(text)):
        text = f"{text[: joint.start()]} {text[joint.end() :]}"
    return text


_WHOLE = frozenset(_bare(fold(name)) for name in _BANDS.split(";"))
