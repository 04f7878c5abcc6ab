"""``unshare --net python -m tests.compose.stack PLAN``: the stack, up from clean to the first picture, and down.

PLAN is JSON: files (the checkout), image and valkey (roots), volumes (a folder), environment (as ``.env`` says it),
leave_out (services). All containers share one network, in which each service's name is this machine. Says on standard
output, as JSON, what it has seen.
"""

from __future__ import annotations

import fcntl
import json
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.compose.composefile import Service, services_of, started
from tests.compose.image import Image, boxed


class Stack:
    """The services of a compose file on images that are built."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.environment: dict[str, str] = plan["environment"]
        self.services = services_of(Path(plan["files"], "docker-compose.yml"), self.environment)
        self.images = {name: _image(plan[name]) for name in ("retouch", "valkey")}
        self.running: dict[str, subprocess.Popen[str]] = {}
        self.volumes = Path(plan["volumes"])

    def up(self, profiles: set[str]) -> list[str]:
        """Start all services, each when what it needs is as it must be; their names, in order."""
        order = [one for one in started(self.services, profiles) if one.name not in self.plan["leave_out"]]
        for service in order:
            for need, how in service.needs.items():
                if need in self.running:
                    self.wait(self.services[need], how["condition"])
            log = (self.volumes / f"{service.name}.log").open("w")
            self.running[service.name] = boxed(self.spec(service), stdout=log, stderr=subprocess.STDOUT)
        for service in order:
            if self.checked(service):
                self.wait(service, "service_healthy")
        return [service.name for service in order]

    def wait(self, service: Service, condition: str) -> None:
        """Wait until a service is as another needs it."""
        process = self.running[service.name]
        if condition == "service_completed_successfully":
            assert process.wait(60) == 0
            return
        tries = int(service.health.get("retries", 3)) * 10
        for _ in range(tries):
            assert process.poll() is None, f"{service.name} has ended: {self.log(service.name)}"
            if self.healthy(service):
                return
            time.sleep(0.5)
        raise AssertionError(f"{service.name} is not healthy: {self.log(service.name)}")

    def checked(self, service: Service) -> tuple[str, ...]:
        """Its health check; none: it has none."""
        if service.health.get("disable"):
            return ()
        return tuple(service.health.get("test", self.image(service).health))

    def healthy(self, service: Service) -> bool:
        """Whether its health check says so, in its time."""
        kind, *words = self.checked(service)
        words = words if kind == "CMD" else ["/bin/sh", "-c", *words]
        process = boxed(self.spec(service, words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return process.wait(service.seconds("timeout", 10)) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False

    def healthy_while_standing_still(self, name: str) -> bool:
        """Whether the health check of a service is content while its process is stopped."""
        process = self.running[name]
        process.send_signal(signal.SIGSTOP)
        try:
            return self.healthy(self.services[name])
        finally:
            process.send_signal(signal.SIGCONT)

    def run(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """``docker compose run --rm NAME WORDS``."""
        service = self.services[name]
        process = boxed(
            self.spec(service, [*self.entry(service), *words]), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = process.communicate(timeout=100)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def stop(self, name: str) -> None:
        """Stop a service as it says, in the time that it is given."""
        service = self.services[name]
        self.running[name].send_signal(signal.Signals[self.image(service).signal])
        self.running.pop(name).wait(service.seconds("stop_grace_period", 10))

    def log(self, name: str) -> str:
        """What a service has written."""
        return (self.volumes / f"{name}.log").read_text()[-2000:]

    def image(self, service: Service) -> Image:
        return self.images["retouch" if service.said["image"] == "retouch" else "valkey"]

    def entry(self, service: Service) -> list[str]:
        return list(service.said.get("entrypoint", self.image(service).entrypoint))

    def spec(self, service: Service, words: list[str] | None = None) -> dict[str, Any]:
        """How a service's container is started, or another command in it."""
        image = self.image(service)
        file = self.environment if "env_file" in service.said else {}
        # Each container has a network of its own elsewhere, and here all have one.
        port = {"RETOUCH_METRICS_PORT": str(9464 + list(self.services).index(service.name))}
        command = list(service.said.get("command", image.command))
        return image.spec(
            words or [*self.entry(service), *command],
            readonly=bool(service.said.get("read_only")),
            environment=image.environment | port | file | service.environment,
            binds=[[str(self.volumes / "hosts"), "/etc/hosts", True], *map(list, self._mounts(service))],
        )

    def _mounts(self, service: Service) -> list[tuple[str, str, bool]]:
        said = [*service.said.get("volumes", []), *service.said.get("tmpfs", [])]
        return [self._mount(service, *volume.split(":")) for volume in said]

    def _mount(
        self, service: Service, source: str, target: str | None = None, mode: str = "rw"
    ) -> tuple[str, str, bool]:
        if target is None:
            own = self._volume(service, service.name + source.replace("/", "-"), source)
            return str(own), source, False
        if source.startswith((".", "/")):
            return str(Path(self.plan["files"], source)), target, mode == "ro"
        return str(self._volume(service, source, target)), target, False

    def _volume(self, service: Service, name: str, target: str) -> Path:
        """A volume; a new one is as the image's folder is, as Docker makes it."""
        folder = self.volumes / name
        if not folder.exists():
            folder.mkdir()
            there = (self.image(service).root / target[1:]).stat()
            folder.chmod(there.st_mode)
            subprocess.run(["chown", f"{there.st_uid}:{there.st_gid}", folder], check=True)
        return folder


def _image(said: dict[str, Any]) -> Image:
    return Image(**{**said, "root": Path(said["root"])})


def _loopback() -> None:
    """A new network has a loopback that is down."""
    with socket.socket() as any_socket:
        # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14s", b"lo", 0x41, b""))


def main() -> None:
    plan = json.loads(sys.argv[1])
    _loopback()
    stack = Stack(plan)
    names = " ".join(["localhost", *stack.services])
    (stack.volumes / "hosts").write_text(f"127.0.0.1 {names}\n")
    seen: dict[str, Any] = {}
    try:
        seen["up"] = stack.up(set(plan["profiles"]))
        submitted = stack.run("retouch", "submit", "/pictures/manifest.csv", "--json", "--limit", "3")
        assert submitted.returncode == 0, submitted.stderr
        seen["submitted"] = json.loads(submitted.stdout)
        watched = stack.run("retouch", "watch", seen["submitted"]["job"], "--json")
        assert watched.returncode == 0, watched.stderr + stack.log("worker")
        seen["watched"] = json.loads(watched.stdout)
        seen["unwritable"] = stack.run("retouch", "--log-file", "/opt/retouch/x", "models").stderr
        seen["healthy_while_standing_still"] = {
            name: stack.healthy_while_standing_still(name) for name in ("worker", "scheduler")
        }
        worker = stack.running["worker"]
        seen["gone"] = [name for name, process in stack.running.items() if process.poll() is not None]
        stack.stop("worker")
        seen["worker_ended_with"] = worker.returncode
    finally:
        for name in list(stack.running):
            stack.stop(name)
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()
