"""Reads a place: everything that is local to a district. `src/` and `packs/` name none; places/<district>/ does.

place.yml    who and where: code, names, zone, languages, base map, reference systems
areas.csv    code,name[,name_en,parent,lon,lat,synthetic]      and/or
areas.geojson  outlines with the same properties; a feature adds its geometry to the row of the same code
bodies.yml   organisations, as a tree        posts.yml   roles and posts
duties.yml   权责清单: which body answers for which class (optional)
zones.yml    polygons that cross areas (optional)        demo.yml   accounts of a demonstration (optional)
purposes.yml 使用目的: what personal data is used for (optional; without one, no personal field is read whole)
calendar.yml office hours, years and days of its own (optional; place_calendar.py)
"""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from zhiwan.kernel.facts.areas import is_area, parent_area
from zhiwan.kernel.facts.calendar import WorkingCalendar
from zhiwan.kernel.guard.purposes import Purpose
from zhiwan.kernel.packs.broken import FileMissing, FileUnknown, IdTwice, NotYaml, WrongShape
from zhiwan.kernel.packs.models import Declared, Identifier, Text, TypeName
from zhiwan.kernel.packs.place_calendar import CalendarFile
from zhiwan.kernel.packs.shape import shaped
from zhiwan.kernel.packs.strict_yaml import Document, read_yaml


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name} is no IANA time zone (Asia/Shanghai is one)") from error
    return name


def _area_code(code: str) -> str:
    if not is_area(code):
        raise ValueError("an area code has 6, 9, 12 or 15 digits, in quotes")
    return code


AreaCode = Annotated[str, AfterValidator(_area_code)]
ClassName = Annotated[str, Field(pattern=r"^[a-z]+\.[a-z][a-z0-9_]*$")]  # life.air: a pack
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]


class BaseMap(Declared):
    """A map under ours. Chinese law asks for the approval number (审图号) to be shown."""

    url: str | None = None  # XYZ, MVT or PMTiles address
    file: str | None = None  # PMTiles file, relative to the place's folder
    attribution: str
    approval_number: str

    @model_validator(mode="after")
    def _one_source(self) -> BaseMap:
        if (self.url is None) == (self.file is None):
            raise ValueError("a base map has either `url` or `file`")
        return self


class PlaceFile(Declared):
    code: AreaCode
    name: str
    name_en: str
    zone: Annotated[str, AfterValidator(_known_zone)]
    languages: Annotated[list[Literal["zh-hans", "en"]], Field(min_length=1)] = Field(default=["zh-hans", "en"])
    base_map: BaseMap | None = None
    crs: str = "EPSG:4490"  # what local data comes in; inside everything is WGS 84/CGCS2000
    water_datum: Text | None = None  # 吴淞高程 …: what the zero of a level means here
    notice: Text | None = None  # attribution of outlines and names


class AreaDecl(Declared):
    code: AreaCode
    name: str
    name_en: str = ""
    parent: str | None = None
    seat: tuple[float, float] | None = None  # lon, lat in WGS 84
    geometry: dict[str, Any] | None = None  # GeoJSON geometry
    synthetic: bool = False  # placed or outlined by us for display, not surveyed


class Body(Declared):
    """An organisation 单位, below another one or by itself."""

    id: Slug
    name: Text
    area: AreaCode
    kind: Literal["district_office", "town", "village", "service", "firm"] = "district_office"
    parent: Slug | None = None
    valid_from: date | None = None
    valid_to: date | None = None  # exclusive


class Role(Declared):
    """A role as the place calls it. What it may do is said by the shipped role it is like."""

    id: Identifier
    title: Text
    like: Identifier | None = None  # None: it is a shipped role itself


class ReachDecl(Declared):
    """Where a post reaches, and whose: all that is said must hold.

    Nothing of areas and zones: the whole district. `classes` are ids of packs, `bodies` own things of them.
    """

    areas: list[AreaCode] = Field(default=[])  # towns, villages, grids
    zones: list[Slug] = Field(default=[])
    classes: list[ClassName] = Field(default=[])
    bodies: list[Slug] = Field(default=[])


class Post(Declared):
    """A post 岗位: a role in an organisation with a scope, for a time. People hold posts."""

    id: Slug
    role: Identifier
    organisation: Slug
    title: Text
    #: district · own (what belongs to its body) · none (administrators) · a list of areas · or all of it spelt out
    scope: Literal["district", "own", "none"] | Annotated[list[AreaCode], Field(min_length=1)] | ReachDecl
    valid_from: date | None = None
    valid_to: date | None = None  # exclusive

    @property
    def reach(self) -> ReachDecl:
        """The scope spelt out; empty for district, own and none."""
        if isinstance(self.scope, ReachDecl):
            return self.scope
        return ReachDecl(areas=self.scope) if isinstance(self.scope, list) else ReachDecl()


class Duty(Declared):
    """A line of the 权责清单: the body that answers for a class (a pack), or for a type of thing within it."""

    class_: ClassName | TypeName = Field(alias="class")
    body: Slug


class PostsFile(Declared):
    roles: Annotated[list[Role], Field(min_length=1)]
    posts: Annotated[list[Post], Field(min_length=1)]


class ZoneDecl(Declared):
    """A 专题区: a polygon that crosses areas (park, polder, business circle)."""

    id: Slug
    title: Text
    version: int = 1
    polygon: dict[str, Any]  # GeoJSON Polygon or MultiPolygon


class DemoAccount(Declared):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")]
    display: str
    posts: Annotated[list[Slug], Field(min_length=1)]
    language: Literal["zh-hans", "en"] = "zh-hans"


class DemoOwner(Declared):
    """Things of the demonstration that belong to another body than the list of duties says."""

    things: Annotated[list[Slug], Field(min_length=1)]
    body: Slug


class PlaceDemo(Declared):
    accounts: list[DemoAccount] = Field(default=[])
    owners: list[DemoOwner] = Field(default=[])


class PlaceDecl(Declared):
    """A whole place, as loaded."""

    place: PlaceFile
    areas: list[AreaDecl]
    bodies: list[Body]
    roles: list[Role]
    posts: list[Post]
    zones: list[ZoneDecl] = Field(default=[])
    duties: list[Duty] = Field(default=[])
    purposes: list[Purpose] = Field(default=[])
    demo: PlaceDemo = PlaceDemo()
    calendar: CalendarFile = CalendarFile()
    folder: str = ""

    @property
    def code(self) -> str:
        return self.place.code

    @property
    def working_calendar(self) -> WorkingCalendar:
        """The days and hours by which terms are counted here."""
        return self.calendar.calendar(self.place.zone)

    @property
    def outline(self) -> dict[str, Any] | None:
        """The district's own geometry, if the place ships one."""
        return next((area.geometry for area in self.areas if area.code == self.code), None)


_FILES = (
    "place.yml", "areas.csv", "areas.geojson", "bodies.yml", "posts.yml", "duties.yml", "zones.yml", "demo.yml",
    "calendar.yml", "purposes.yml",
)  # fmt: skip
_SILENT = ("sources", "README.md", "NOTICE", "NOTICE.md", "LICENSE", "maps", "mission.csv")


def load_place(folder: Path) -> PlaceDecl:
    """One place. Raises PackFault with file, line, place and next step."""
    if not (folder / "place.yml").is_file():
        raise FileMissing(file="place.yml", name="the file that makes a folder a place", advice="See places/ for one.")
    for path in sorted(folder.iterdir()):
        if path.name not in _FILES and path.name not in _SILENT and not path.name.startswith("."):
            raise FileUnknown(file=path.name, known=", ".join(_FILES))
    documents: dict[str, Document] = {}

    def read(name: str, shape: Any, empty: Any) -> Any:
        if not (folder / name).is_file():
            if empty is None:
                raise FileMissing(file=name, name="a file every place has", advice="See places/ for one.")
            return empty
        documents[name] = read_yaml(folder / name, name)
        return shaped(documents[name], shape)

    place: PlaceFile = read("place.yml", PlaceFile, None)
    posts: PostsFile = read("posts.yml", PostsFile, None)
    loaded = PlaceDecl(
        place=place,
        areas=_areas(folder, place),
        bodies=read("bodies.yml", list[Body], None),
        roles=posts.roles,
        posts=posts.posts,
        zones=read("zones.yml", list[ZoneDecl], []),
        duties=read("duties.yml", list[Duty], []),
        purposes=read("purposes.yml", list[Purpose], []),
        demo=read("demo.yml", PlaceDemo, PlaceDemo()),
        calendar=read("calendar.yml", CalendarFile, CalendarFile()),
        folder=str(folder.resolve()),
    )
    _check_pointers(loaded, documents)
    return loaded


def _areas(folder: Path, place: PlaceFile) -> list[AreaDecl]:
    """Rows of areas.csv with the outlines of areas.geojson, ordered by code; the district itself is always there."""
    rows: dict[str, dict[str, Any]] = {}
    lines: dict[str, tuple[str, int]] = {}
    if (folder / "areas.csv").is_file():
        with (folder / "areas.csv").open(encoding="utf-8-sig", newline="") as handle:
            for line, row in enumerate(csv.DictReader(handle), start=2):
                found = _from_csv(row, line)
                if found["code"] in rows:
                    first = f"areas.csv:{lines[found['code']][1]}"
                    raise IdTwice(file="areas.csv", line=line, thing="area", id=found["code"], first=first)
                rows[found["code"]] = found
                lines[found["code"]] = ("areas.csv", line)
    if (folder / "areas.geojson").is_file():
        for number, feature in enumerate(_features(folder / "areas.geojson")):
            properties = {key: value for key, value in feature["properties"].items() if value is not None}
            code = str(properties.get("code", ""))
            rows[code] = rows.get(code, {}) | properties | {"geometry": feature["geometry"]}
            lines.setdefault(code, ("areas.geojson", number + 1))
    if not rows:
        raise FileMissing(file="areas.csv", name="the list of areas", advice="Add areas.csv or areas.geojson.")
    rows.setdefault(place.code, {"code": place.code, "name": place.name, "name_en": place.name_en})
    areas = []
    for code, row in sorted(rows.items()):
        file, line = lines.get(code, ("place.yml", 1))
        area: AreaDecl = shaped(Document(file, row, {(): line}), AreaDecl)
        if not code.startswith(place.code):
            raise WrongShape(
                file=file, line=line, where=code, problem=f"the area {code} does not lie in {place.code}",
                advice="Codes of a place begin with its own code; what crosses areas is a zone.",
            )  # fmt: skip
        parent = area.parent or (parent_area(code) if code != place.code else None)
        if parent is not None and parent not in rows:
            raise WrongShape(
                file=file, line=line, where=code, problem=f"the parent {parent} of the area {code} is not listed",
                advice="Add the parent's own row, or mend `parent`.",
            )  # fmt: skip
        areas.append(area.model_copy(update={"parent": parent}))
    return areas


def _from_csv(row: dict[str, Any], line: int) -> dict[str, Any]:
    cells = {key: value.strip() for key, value in row.items() if key is not None and value}
    if None in row or not {"code", "name"} <= cells.keys():
        raise WrongShape(
            file="areas.csv", line=line, problem="the row has no code or name, or more cells than the header",
            advice="The header is code,name,name_en,parent,lon,lat,synthetic; the last five may be left out.",
        )  # fmt: skip
    try:
        seat = [float(cells.pop("lon")), float(cells.pop("lat"))] if "lon" in cells and "lat" in cells else None
        synthetic = {"true": True, "1": True, "false": False, "0": False, "": False}[cells.pop("synthetic", "").lower()]
    except (ValueError, KeyError) as error:
        raise WrongShape(
            file="areas.csv", line=line, where=cells["code"], problem=f"a cell cannot be read ({error})",
            advice="lon and lat are decimal degrees (WGS 84), synthetic is true or false.",
        ) from error  # fmt: skip
    return {**cells, "seat": seat, "synthetic": synthetic}


def _features(path: Path) -> list[dict[str, Any]]:
    try:
        body = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise NotYaml(file=path.name, line=line, problem=f"not JSON ({error})") from error
    features = [body] if body.get("type") == "Feature" else body.get("features", [])
    for number, feature in enumerate(features):
        if not isinstance(feature.get("properties"), dict) or not isinstance(feature.get("geometry"), dict | None):
            raise WrongShape(
                file=path.name, where=f"features[{number}]", problem="the feature has no properties or geometry",
                advice="Each feature has properties {code, name, …} and a geometry or null.",
            )  # fmt: skip
    return list(features)


def _check_pointers(place: PlaceDecl, documents: dict[str, Document]) -> None:
    bodies, roles = {body.id for body in place.bodies}, {role.id for role in place.roles}
    codes, zones = {area.code for area in place.areas}, {zone.id for zone in place.zones}
    posts = {post.id for post in place.posts}
    for number, body in enumerate(place.bodies):
        if body.parent is not None and body.parent not in bodies:
            _lost(documents, "bodies.yml", (number, "parent"), f"{body.id}.parent", body.parent, "bodies.yml")
    for number, post in enumerate(place.posts):
        reach = post.reach
        pointers = [
            ("organisation", [post.organisation], bodies, "bodies.yml"),
            ("role", [post.role], roles, "roles of posts.yml"),
            ("scope", reach.areas, codes, "areas"),
            ("scope", reach.zones, zones, "zones.yml"),
            ("scope", reach.bodies, bodies, "bodies.yml"),
        ]
        for key, values, known, home in pointers:
            for value in (one for one in values if one not in known):
                _lost(documents, "posts.yml", ("posts", number, key), f"posts[{post.id}].{key}", value, home)
    for number, duty in enumerate(place.duties):
        if duty.body not in bodies:
            _lost(documents, "duties.yml", (number, "body"), f"[{duty.class_}].body", duty.body, "bodies.yml")
    for number, purpose in enumerate(place.purposes):
        if purpose.id in {one.id for one in place.purposes[:number]}:
            raise IdTwice(
                file="purposes.yml", line=documents["purposes.yml"].line((number, "id")), thing="purpose",
                id=purpose.id, first="purposes.yml",
            )  # fmt: skip
    for number, account in enumerate(place.demo.accounts):
        for missing in [post for post in account.posts if post not in posts]:
            _lost(
                documents, "demo.yml", ("accounts", number, "posts"), f"accounts[{account.name}]", missing, "posts.yml"
            )
    for number, owner in enumerate(place.demo.owners):
        if owner.body not in bodies:
            _lost(documents, "demo.yml", ("owners", number, "body"), f"owners[{number}].body", owner.body, "bodies.yml")


def _lost(
    documents: dict[str, Document], file: str, at: tuple[str | int, ...], where: str, value: str, home: str
) -> None:
    """A name that leads nowhere."""
    raise WrongShape(
        file=file, line=documents[file].line(at), where=where, problem=f'"{value}" is not in {home}',
        advice=f"Mend the id, or declare it in {home}.",
    )  # fmt: skip
