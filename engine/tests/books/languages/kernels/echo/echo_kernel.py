"""A kernel for a language whose programs print themselves; the program `fail` fails."""

from __future__ import annotations

from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel


class EchoKernel(Kernel):
    """Prints each program."""

    implementation = "echo"
    implementation_version = "1"
    banner = "Echo"
    language_info = {  # noqa: RUF012
        "name": "echo",
        "mimetype": "text/plain",
        "file_extension": ".echo",
        "pygments_lexer": "text",
    }

    async def do_execute(self, code, silent, *_, **__):
        """Print the program."""
        if code.strip() == "fail":
            error = {"ename": "EchoError", "evalue": "failed", "traceback": ["EchoError: failed"]}
            self.send_response(self.iopub_socket, "error", error)
            return {"status": "error", "execution_count": self.execution_count, **error}
        if not silent:
            self.send_response(self.iopub_socket, "stream", {"name": "stdout", "text": code})
        return {"status": "ok", "execution_count": self.execution_count, "user_expressions": {}}


if __name__ == "__main__":
    IPKernelApp.launch_instance(kernel_class=EchoKernel)
