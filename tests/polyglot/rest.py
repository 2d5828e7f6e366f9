"""HTTP and JSON with nothing but Python's own library."""

import json
import urllib.error
import urllib.parse
import urllib.request


class Answer:
    """Status, headers and body of an answer, of an error too."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def type(self):
        return self.headers.get_content_type()

    @property
    def json(self):
        return json.loads(self.body)


class Rest:
    """Calls of one mesh with one credential."""

    def __init__(self, mesh, credential):
        self.url, self.credential = mesh.url, credential

    def open(self, method, path, body=None, timeout=30, **headers):
        """Sends a request; the answer can be read as it comes."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("content_type", "application/json")
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.credential:
            headers.setdefault("authorization", f"Bearer {self.credential}")
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        return urllib.request.urlopen(request, timeout=timeout)

    def __call__(self, method, path, body=None, **options):
        try:
            with self.open(method, path, body, **options) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())


def query(**parameters):
    """A query string; lists are repeated parameters."""
    return "?" + urllib.parse.urlencode(parameters, doseq=True)
