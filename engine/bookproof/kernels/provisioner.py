"""The provisioner through which any Jupyter client gets warm kernels, by their kernelspec's name.

Where processes can't be forked safely, or the template finds that its own can't, an ordinary
kernel does the same work.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import List, Unicode

from bookproof.kernels import libraries, warm

if TYPE_CHECKING:
    from jupyter_client.connect import KernelConnectionInfo

logger = logging.getLogger(__name__)

ENDS = 5.0
"""Seconds that a killed kernel may take to end before Jupyter is left to wait for it."""


class WarmProvisioner(LocalProvisioner):
    """Provides ipykernels by forking a template, and other kernels as `LocalProvisioner` does."""

    modules = List(Unicode(), list(libraries.USUAL), help="What the template imports.").tag(
        config=True
    )

    process: Any  # what LocalProvisioner asks and kills: a forked kernel, or an ordinary process

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:  # noqa: ANN401
        """Launch a kernel with a command line."""
        streams = [
            _descriptor(kwargs.get(name), n) for n, name in enumerate(("stdout", "stderr"), 1)
        ]
        plain = cmd[:3] == [sys.executable, "-m", "ipykernel_launcher"]
        # what is relative to the kernel's folder, a template has looked for in another one
        paths = kwargs["env"].get("PYTHONPATH", "").split(os.pathsep)
        plain = plain and all(os.path.isabs(path) for path in paths if path)  # noqa: PTH117
        if warm.FORKS and plain and min(streams) >= 0:
            folder = os.path.abspath(kwargs.get("cwd") or "")  # noqa: ASYNC240, PTH100
            job = {"argv": cmd[3:], "env": kwargs["env"], "cwd": folder}
            try:
                self.process = await warm.template(self.modules, kwargs["env"]).fork(job, streams)
            except warm.NoKernelError as error:
                logger.warning("an ordinary kernel instead of a warm one: %s", error)
            else:
                self.pid, self.pgid, self.cwd = self.process.pid, None, folder
                return self.connection_info
        return await super().launch_kernel(cmd, **kwargs)

    async def kill(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002
        """Kill the kernel, and wait until it has ended: Jupyter looks again only after 0.1 s."""
        await super().kill(restart)
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDS):
                while await self.poll() is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.002)


def _descriptor(stream: int | IO[Any] | None, inherited: int) -> int:
    """Return the descriptor that `subprocess.Popen` would give a process; below 0, it makes one."""
    if stream is None:
        return inherited
    return stream if isinstance(stream, int) else stream.fileno()
