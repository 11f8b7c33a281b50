"""A gallery on a Milvus server, for what one machine does not hold: an address instead of a folder.

The address is `http://HOST:19530/COLLECTION`, with the token in MILVUS_TOKEN if the server wants one, or
`FILE.db/COLLECTION` for Milvus Lite, its embedded form. The server compares the joined parts of a descriptor by their
Euclidean distance; its nearest are compared again by the exact metric. Its recall depends on its index.
"""

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opengait.errors import ConfigError, DataError
from opengait.utils.text import first_line
from opengait_ext.data import Modality
from opengait_ext.search.descriptors import Described, Descriptors
from opengait_ext.search.neighbours import Neighbours, nearest_of
from opengait_ext.search.records import Record, key_of

_ADDRESS = re.compile(r"(?P<uri>https?://[^/]+|.+\.db)/(?P<collection>[A-Za-z_][A-Za-z0-9_]*)$")
# Limits of Milvus: numbers in a vector, answers of a search, and bytes of a text.
_MOST_NUMBERS, _MOST_ANSWERS, _MOST_TEXT = 32_768, 16_384, 65_535
_WIDEN, _BATCH = 8, 500
# The row that holds the facts about the network, since Milvus Lite keeps no description of a collection.
_FACTS = 0
_NETWORK = ("cfgs", "checkpoint", "checkpoint_sha256", "frames")


def is_address(text: str) -> bool:
    """Return whether a text is the address of a gallery on a server."""
    return _ADDRESS.fullmatch(text) is not None


class _Server:
    """A client of pymilvus whose failures are sentences."""

    def __init__(self, client: Any, uri: str) -> None:
        self._client = client
        self._uri = uri

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*arguments: Any, **options: Any) -> Any:
            try:
                return method(*arguments, **options)
            # Those of pymilvus, of gRPC and of Milvus Lite have no class in common.
            except Exception as error:
                raise DataError(f"The Milvus server {self._uri} failed ({name}): {first_line(error)}.") from error

        return call


@dataclass(frozen=True, kw_only=True)
class MilvusGallery(Described):
    """A collection of a Milvus server.

    Attributes:
        client: client of pymilvus, by `_Server`.
        collection: name of the collection.
    """

    client: Any
    collection: str

    def __len__(self) -> int:
        return sum(self.counts().values())

    def counts(self) -> Mapping[str, int]:
        """Return the number of tracklets of each modality that has any."""
        counts = {}
        for kind in Modality:
            rows = self.client.query(self.collection, filter=f'modality == "{kind}"', output_fields=["count(*)"])
            counts[str(kind)] = int(rows[0]["count(*)"])
        return {kind: count for kind, count in counts.items() if count}

    def nearest(self, queries: np.ndarray, modality: str, top: int, metric: str) -> Neighbours:
        """Return the nearest tracklets of a modality for queries `[q, c, p]`, as the server finds them.

        Raises:
            ConfigError: the metric is no distance, so the server's nearest would not be the nearest.
        """
        if metric == "dot":
            raise ConfigError("A Milvus server compares by distances, and this network by products; use a folder.")
        count = self.counts().get(modality, 0)
        wide = min(count, _MOST_ANSWERS, _WIDEN * max(top, 10))
        places, blocks = [], []
        for query in queries:
            answers = self.client.search(
                self.collection,
                data=[query.reshape(-1).tolist()],
                limit=max(wide, 1),
                filter=f'modality == "{modality}"',
                output_fields=["vector"],
            )[0]
            found = {int(answer["place"]): answer["entity"]["vector"] for answer in answers}
            order = sorted(found)
            places.append(np.array(order, dtype=np.int64))
            blocks.append(np.array([found[place] for place in order], dtype=np.float32).reshape(-1, *self.shape))
        near = nearest_of(queries, places, blocks, min(top, wide), metric)
        return Neighbours(near.places, near.distances, near.farthest, count)

    def tracklet(self, place: int) -> tuple[str, np.ndarray, Record]:
        """Return name, descriptor `[c, p]` and record of a tracklet."""
        rows = self.client.get(self.collection, ids=[place])
        if not rows:
            raise DataError(f"The collection {self.collection} has no tracklet {place}.")
        row = rows[0]
        start, end = (None if row[name] < 0 else float(row[name]) for name in ("start_seconds", "end_seconds"))
        record = Record(row["source"], row["track"], start, end, base64.b64decode(row["thumbnail"]))
        return str(row["name"]), np.array(row["vector"], dtype=np.float32).reshape(self.shape), record

    def add(self, descriptors: Descriptors) -> tuple[int, int]:
        """Add tracklets; return how many were added, and how many were there already.

        Raises:
            DataError: another network described them, or from another number of frames; or the server refused them.
        """
        self.check(descriptors, f"The collection {self.collection}")
        rows = {row["place"]: row for row in (_row(descriptors, n) for n in range(len(descriptors)))}
        present = set()
        numbers = list(rows)
        for start in range(0, len(numbers), _BATCH):
            part = numbers[start : start + _BATCH]
            known = self.client.query(self.collection, ids=part, output_fields=["place"])
            present |= {int(row["place"]) for row in known}
            fresh = [rows[place] for place in part if place not in present]
            if fresh:
                self.client.insert(self.collection, fresh)
        self.client.flush(self.collection)
        return len(rows) - len(present), len(descriptors) - len(rows) + len(present)

    def remove(self, patterns: Sequence[str]) -> int:
        """Remove the tracklets whose name, source or `<source>#<track>` is among the texts; `*` is wild."""
        before = len(self)
        for pattern in patterns:
            wild = "*" in pattern
            escaped = re.sub(r"([%_\\])", r"\\\1", pattern).replace("*", "%") if wild else pattern
            text = json.dumps(escaped, ensure_ascii=False)
            condition = " or ".join(f"{name} {'like' if wild else '=='} {text}" for name in _NAMES)
            self.client.delete(self.collection, filter=f"place != {_FACTS} and ({condition})")
        self.client.flush(self.collection)
        return before - len(self)


_NAMES = ("name", "source", "place_in_source")


def open_milvus(address: str, like: Descriptors | None = None) -> MilvusGallery:
    """Open the collection at an address; create it for the network that described `like` if it does not exist.

    Raises:
        ConfigError: pymilvus is not installed, the server does not answer, or the descriptors are too long for it.
        DataError: the collection does not exist, or is not a gallery.
    """
    client, collection = _collection_at(address)
    if not client.has_collection(collection):
        if like is None:
            raise DataError(f"There is no gallery at {address}; `vvi gallery add` makes one.")
        _create(client, collection, like)
    client.load_collection(collection)
    try:
        content = json.loads(client.get(collection, ids=[_FACTS])[0]["source"])
        network: dict[str, Any] = {name: content[name] for name in _NETWORK}
        overrides, (channels, parts) = tuple(content["overrides"]), content["shape"]
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(f"The collection {collection} is not a gallery; name another.") from error
    return MilvusGallery(client=client, collection=collection, **network, overrides=overrides, shape=(channels, parts))


def exists_in_milvus(address: str) -> bool:
    """Return whether the server has the collection of an address."""
    client, collection = _collection_at(address)
    return bool(client.has_collection(collection))


def _collection_at(address: str) -> tuple[Any, str]:
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise ConfigError(f"expected http://HOST:19530/COLLECTION or FILE.db/COLLECTION, got {address!r}.")
    return _client(match["uri"]), match["collection"]


def _client(uri: str) -> Any:
    try:
        from pymilvus import MilvusClient
    except ImportError as error:
        raise ConfigError('A Milvus server needs pymilvus: pip install "opengait-dinogrl[milvus]".') from error
    try:
        return _Server(MilvusClient(uri, token=os.environ.get("MILVUS_TOKEN", ""), timeout=30), uri)
    except Exception as error:
        raise ConfigError(f"The Milvus server {uri} does not answer: {first_line(error)}.") from error


def _create(client: Any, collection: str, like: Descriptors) -> None:
    from pymilvus import DataType

    shape = like.embeddings.shape[1:]
    if int(np.prod(shape)) > _MOST_NUMBERS:
        raise ConfigError(f"A descriptor has {int(np.prod(shape)):,} numbers; Milvus takes at most {_MOST_NUMBERS:,}.")
    content = {name: getattr(like, name) for name in _NETWORK}
    content |= {"overrides": list(like.overrides), "shape": list(shape)}
    schema = client.create_schema(auto_id=False)
    schema.add_field("place", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=int(np.prod(shape)))
    for name in ("modality", "track", *_NAMES, "thumbnail"):
        schema.add_field(name, DataType.VARCHAR, max_length=_MOST_TEXT)
    for name in ("start_seconds", "end_seconds"):
        schema.add_field(name, DataType.DOUBLE)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="AUTOINDEX", metric_type="L2")
    client.create_collection(collection, schema=schema, index_params=index)
    texts = dict.fromkeys(("modality", "track", *_NAMES, "thumbnail"), "") | {"source": json.dumps(content)}
    vector = np.zeros(int(np.prod(shape))).tolist()
    client.insert(
        collection, [{"place": _FACTS, "vector": vector, **texts, "start_seconds": -1.0, "end_seconds": -1.0}]
    )


def _row(descriptors: Descriptors, number: int) -> dict[str, Any]:
    name, descriptor, record = descriptors.tracklet(number)
    modality = str(descriptors.types[number])
    digest = hashlib.sha256(f"{modality} {key_of(name, record)}".encode()).digest()
    picture = base64.b64encode(record.thumbnail).decode()
    return {
        "place": int.from_bytes(digest[:8], "big") >> 1,
        "vector": descriptor.reshape(-1).tolist(),
        "modality": modality,
        "name": name,
        "source": record.source,
        "track": record.track,
        "place_in_source": f"{record.source}#{record.track}",
        "thumbnail": picture if len(picture) <= _MOST_TEXT else "",
        "start_seconds": -1.0 if record.start_seconds is None else record.start_seconds,
        "end_seconds": -1.0 if record.end_seconds is None else record.end_seconds,
    }
