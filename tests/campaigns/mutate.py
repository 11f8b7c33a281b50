"""Damage bytes and text at random, as storage, transfers and attackers do."""

import random
import re
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

INTEGERS = (0, 1, -1, 2, 255, 256, 2**15, 2**16 - 1, 2**27, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, -(2**63))
FORMATS = ("<b", "<h", ">h", "<i", ">i", "<q", ">q")
NUMBERS = (
    *("0", "-1", "1", "-5", "0.5", "1e999", "-1e999", "nan", "inf", ".inf", "1e-320", "99999999999999999999"),
    *("1000000000000", "0x7fffffff", "1_000", "①", "٣"),
)
TOKENS = (
    *("\0", "\r\n", "\n", "\t", "\x1b[2J", "\ufeff", "\u2028", "①", "中é", "../", "/", "%", "$\\frac{$", "<script>"),
    *("{", "}", "[", "]", ":", ": ", " #", "'", '"', "\\", "&a ", "*a", "<<: *a", "- ", "!!binary ", "? ", "| ", "~"),
    *("[" * 2000, "{a: " * 500, "9" * 5000, "a" * 300, "2024-13-45", "null", "no", "{}", "[]", "''", "true", "..."),
)


def mutated(data: bytes, rng: random.Random, others: Sequence[bytes], canary: Path) -> bytes:
    """Return `data` with one to several damages; the result differs from `data`.

    Args:
        data: a valid file.
        rng: the source of randomness.
        others: the contents of other valid files, from which parts are taken.
        canary: a path that payloads create if the reader runs code.
    """
    damages = [*TEXT, *TEXT, *BINARY] if is_text(data) else BINARY
    changed = data
    while changed == data:
        for _ in range(1 + min(int(rng.expovariate(1.5)), 8)):
            changed = rng.choice(damages)(changed, rng)
        if rng.random() < 0.1:
            changed = _spliced(changed, rng, rng.choice(others))
        if rng.random() < 0.05:
            changed = _inserted(changed, rng, rng.choice(payloads(canary)))
    return changed


def is_text(data: bytes) -> bool:
    """Return whether bytes are UTF-8 without NUL."""
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False


def payloads(canary: Path) -> list[bytes]:
    """Return pickled and YAML-encoded calls that create the canary."""
    command = f"touch {canary}".encode()
    return [
        b"cos\nsystem\n(S'" + command + b"'\ntR.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c" + bytes([min(len(command), 255)]) + command[:255] + b"\x85R.",
        b'\n!!python/object/apply:os.system ["' + command + b'"]\n',
        b'\n? !!python/object/new:os.system ["' + command + b'"]\n',
        b"__import__('os').system('" + command + b"')",
        b"$(" + command + b")",
    ]


def _span(data: bytes, rng: random.Random, longest: int = 64) -> tuple[int, int]:
    """Return the ends of a random part, mostly a short one."""
    start = rng.randrange(len(data) + 1)
    length = rng.randrange(1, longest) if rng.random() < 0.8 else rng.randrange(len(data) + 1)
    return start, min(start + length, len(data))


def _inserted(data: bytes, rng: random.Random, part: bytes) -> bytes:
    at = rng.choice([0, len(data), rng.randrange(len(data) + 1)])
    return data[:at] + part + data[at:]


def _spliced(data: bytes, rng: random.Random, other: bytes) -> bytes:
    start, end = _span(other, rng, 512)
    first, last = _span(data, rng, 512)
    return data[:first] + other[start:end] + data[last:]


def _flip_bits(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8, 32]) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _random_bytes(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + rng.randbytes(end - start) + data[end:]


def _integer(data: bytes, rng: random.Random) -> bytes:
    form, value = rng.choice(FORMATS), rng.choice(INTEGERS)
    size = struct.calcsize(form)
    raw = (value % 2 ** (8 * size)).to_bytes(size, "little" if form[0] == "<" else "big")
    at = rng.randrange(len(data) + 1)
    return data[:at] + raw + data[at + size :]


def _delete(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * rng.choice([1, 1, 2, 50]) + data[end:]


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _zero_tail(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes(len(data) - at)


def _replace_number(data: bytes, rng: random.Random) -> bytes:
    text = data.decode(errors="replace")
    found = list(re.finditer(r"-?\d+(\.\d+)?", text))
    if not found:
        return data
    match = rng.choice(found)
    return (text[: match.start()] + rng.choice(NUMBERS) + text[match.end() :]).encode(errors="replace")


def _insert_token(data: bytes, rng: random.Random) -> bytes:
    return _inserted(data, rng, rng.choice(TOKENS).encode())


def _replace_word(data: bytes, rng: random.Random) -> bytes:
    text = data.decode(errors="replace")
    words = list(re.finditer(r"[\w./-]+", text))
    if not words:
        return data
    word, other = rng.choice(words), rng.choice([rng.choice(words).group(), rng.choice(TOKENS), rng.choice(NUMBERS)])
    return (text[: word.start()] + other + text[word.end() :]).encode(errors="replace")


def _shuffle_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    change = rng.choice(["delete", "repeat", "swap", "indent"])
    if change == "delete":
        del lines[first]
    elif change == "repeat":
        lines.insert(second, lines[first])
    elif change == "swap":
        lines[first], lines[second] = lines[second], lines[first]
    else:
        lines[first] = rng.choice([b"  ", b"\t", b"    "]) + lines[first]
    return b"".join(lines)


Damage = Callable[[bytes, random.Random], bytes]
BINARY: tuple[Damage, ...] = (_flip_bits, _random_bytes, _integer, _delete, _repeat, _truncate, _zero_tail)
TEXT: tuple[Damage, ...] = (_replace_number, _insert_token, _replace_word, _shuffle_lines)
