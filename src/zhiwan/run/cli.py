"""The `zhiwan` command. Each subcommand imports what it needs when it runs: a process starts with its own room only."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from zhiwan.kernel.facts.errors import CityError
from zhiwan.run.audit_commands import audit_app
from zhiwan.run.backups.commands import backup_app, drill, restore
from zhiwan.run.django_ready import make_django_ready as _django
from zhiwan.run.pack_commands import packs_app

app = typer.Typer(
    name="zhiwan",
    help="Zhiwan (智湾): a city operating platform for one district.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
place_app = typer.Typer(help="The district: areas, zones, bodies, posts.", no_args_is_help=True)
demo_app = typer.Typer(help="The demonstration: simulated devices, accounts.", no_args_is_help=True)
app.add_typer(packs_app, name="pack")
app.add_typer(place_app, name="place")
app.add_typer(demo_app, name="demo")
app.add_typer(audit_app, name="audit")
app.add_typer(backup_app, name="backup")
app.command()(restore)
app.command()(drill)

Port = Annotated[int, typer.Option(min=1, max=65535)]
#: For commands beside a running Zhiwan: where it keeps its data. Its processes get everything by their environment.
Data = Annotated[Path, typer.Option("--data", help="Data folder of the running Zhiwan.")]
DEFAULT_DATA = Path(".data")
TlsFile = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="PEM file, for HTTPS.")]


@app.command()
def up(
    data: Annotated[Path, typer.Option(help="Folder that keeps everything; made when missing.")] = DEFAULT_DATA,
    port: Annotated[int, typer.Option(min=1, max=65534, help="Web; the live stream takes the next one.")] = 8000,
    mqtt_port: Annotated[int, typer.Option(min=1, max=65535, help="MQTT door for devices.")] = 1883,
    hj212_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="HJ 212 door for pollution monitors; off when absent.")
    ] = None,
    no_demo: Annotated[bool, typer.Option("--no-demo", help="Without simulated devices.")] = False,
    lan: Annotated[bool, typer.Option("--lan", help="HTTPS for phones and desks of this network.")] = False,
    lan_address: Annotated[str, typer.Option(help="With --lan: which address of this machine.")] = "",
    lan_mqtt: Annotated[
        bool, typer.Option("--lan-mqtt", help="With --lan: devices of this network too; MQTT is not encrypted.")
    ] = False,
    demo_speed: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Simulated devices report N times as often.")
    ] = 1.0,
) -> None:
    """Start everything on this machine; Ctrl-C stops it."""
    from zhiwan.run.lan import address_in_lan
    from zhiwan.run.options import Options
    from zhiwan.run.up import run_up

    run_up(
        Options(
            data=data.resolve(),
            port=port,
            mqtt_port=mqtt_port,
            demo=not no_demo,
            demo_speed=demo_speed,
            hj212_port=hj212_port,
            lan=address_in_lan(lan_address) if lan else None,
            lan_mqtt=lan and lan_mqtt,
        )
    )


@app.command()
def web(
    host: str = "127.0.0.1", port: Port = 8000, workers: int = 2, cert: TlsFile = None, key: TlsFile = None
) -> None:
    """Serve pages and the API (Django under WSGI)."""
    from zhiwan.run.serve import serve

    serve("web", host=host, port=port, workers=workers, tls=(cert, key) if cert and key else None)


@app.command()
def live(host: str = "127.0.0.1", port: Port = 8001, cert: TlsFile = None, key: TlsFile = None) -> None:
    """Serve the live stream of changes to open pages (SSE)."""
    from zhiwan.run.serve import serve

    serve("live", host=host, port=port, tls=(cert, key) if cert and key else None)


@app.command()
def worker(space: Annotated[str, typer.Option(help="live, or the space of a story.")] = "live") -> None:
    """Read the streams, judge, keep, alarm."""
    _django()
    from zhiwan.run.worker import main as run_worker

    run_worker(space)


@app.command()
def story(
    what: Annotated[str, typer.Argument(help="A story's name (typhoon), or drop, or list.")],
    space: Annotated[str, typer.Argument(help="With drop: which one.")] = "",
    speed: Annotated[float | None, typer.Option(min=1, max=3600, help="Its clock against ours.")] = None,
    auto: Annotated[bool, typer.Option("--auto", help="Story persons sign too; nobody is waited for.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Play a day of the city in a space of its own (推演); drop it again."""
    _django(data)
    from zhiwan.run.story import commands

    if what == "list":
        commands.list_all(typer.echo)
    elif what == "drop":
        commands.drop(space, typer.echo)
    else:
        raise typer.Exit(commands.play(what, speed=speed, auto=auto, say=typer.echo))


@app.command()
def jobs() -> None:
    """Do what must happen after a commit (procrastinate)."""
    _django()
    from zhiwan.run.jobs import run_jobs

    run_jobs()


@app.command()
def nightly(data: Data = DEFAULT_DATA) -> None:
    """Delete what is due, back up, let old backups go. `zhiwan up` runs it every night; elsewhere a timer does."""
    _django(data)
    from zhiwan.run.backups.commands import stream_ends
    from zhiwan.run.nightly.rounds import run_round

    problems = run_round(data.resolve(), say=typer.echo, stream_ends=stream_ends)
    for problem in problems:
        typer.echo(problem, err=True)
    raise typer.Exit(1 if problems else 0)


@app.command()
def door() -> None:
    """Answer NATS when a device knocks: who it is and what it may do."""
    from zhiwan.run.broker_door import main as run_door

    run_door()


@app.command()
def hj212(host: str = "127.0.0.1", port: Port = 9212) -> None:
    """Take HJ 212 frames of pollution monitors over TCP."""
    _django()
    from zhiwan.run.hj212_gateway import main as run_gateway

    run_gateway(host, port)


@app.command("hj212-device")
def hj212_device(
    mn: Annotated[str, typer.Argument(help="MN of the instrument: becomes the id of its device.")],
    entity: Annotated[str, typer.Argument(help="The registered entity it measures.")],
    password: Annotated[str, typer.Option(prompt="PW of the instrument", hide_input=True, help="Asked for if absent.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Register an HJ 212 instrument, or change its password."""
    _django(data)
    from zhiwan.run.hj212_gateway.registering import register

    register(mn, entity, password)


@app.command()
def simulator(speed: float = 1.0) -> None:
    """Play the demonstration district: one MQTT client per device."""
    _django()
    from zhiwan.run.simulator import main as run_simulator

    run_simulator(speed=speed)


@app.command()
def migrate() -> None:
    """Bring the database to this version (needs the owner's URL)."""
    _django()
    from zhiwan.run.prepare import migrate as run_migrate

    run_migrate()


@app.command(hidden=True)
def prepare(demo: bool = True) -> None:
    """Schema, static files, place, accounts, demonstration, a sign-in link: what `up` needs before its processes."""
    _django()
    from zhiwan.run.prepare import prepare as run_prepare

    typer.echo(json.dumps(asdict(run_prepare(demo=demo, tell=typer.echo))))


@place_app.command("load")
def place_load(data: Data = DEFAULT_DATA) -> None:
    """Load areas, zones, bodies and posts of ZHIWAN_PLACE; again after a change."""
    _django(data)
    from zhiwan.run.prepare import load_place

    load_place()


@place_app.command("calendar")
def place_calendar(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A place: places/<district>")],
    year: Annotated[
        int | None, typer.Option(min=2000, max=2100, help="Which; default: this year and the next.")
    ] = None,
) -> None:
    """Show by which days and hours terms are counted in a place; needs no server."""
    from zhiwan.run.place_calendar import told

    for line in told(folder, year):
        typer.echo(line)


@demo_app.command("load")
def demo_load(data: Data = DEFAULT_DATA) -> None:
    """Make the demonstration: entities and devices that the simulator plays."""
    _django(data)
    from zhiwan.run.prepare import load_demo

    load_demo()


@app.command("import")
def import_(
    source: Annotated[str, typer.Argument(help="Source of a pack's sources.yml, for example life.air.beijing")],
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)],
    create_entities: Annotated[bool, typer.Option("--create-entities", help="Register unknown stations.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Import measured history from files; the same file twice changes nothing."""
    _django(data)
    from zhiwan.run.importing import run_import

    raise typer.Exit(run_import(source, files, create_entities=create_entities))


@app.command()
def link(
    user: Annotated[str, typer.Argument(help="Account; default: the first one.")] = "",
    phone: Annotated[bool, typer.Option("--phone", help="Works from other machines too, for 10 minutes.")] = False,
    recover: Annotated[
        bool, typer.Option("--recover", help="Behind it a new password is chosen; the second factor is removed.")
    ] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Print a new one-time sign-in link."""
    _django(data)
    from zhiwan.run.prepare import sign_in_link

    typer.echo(sign_in_link(user, phone=phone, recover=recover))


@app.command()
def health(url: str = "http://127.0.0.1:8000") -> None:
    """Ask a running Zhiwan how its parts are; exit code 1 when one is not well."""
    from zhiwan.run.health import print_health

    raise typer.Exit(print_health(url))


def main() -> None:
    """Entry point: an error of ours is told in its own words, without a traceback."""
    try:
        app()
    except CityError as problem:
        texts = problem.as_dict()
        typer.secho(f"zhiwan: {texts['fact']} ({texts['code']})", fg=typer.colors.RED, err=True)
        for text in (texts["detail"], texts["hint"]):
            if text:
                typer.echo(f"  {text}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
