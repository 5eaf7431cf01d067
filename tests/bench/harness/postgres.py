"""libpq through ctypes: the few questions that a benchmark asks, without a driver to install."""

import ctypes
import ctypes.util

_pq = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
for _name, _answer, _arguments in [
    ("PQconnectdb", ctypes.c_void_p, [ctypes.c_char_p]),
    ("PQfinish", None, [ctypes.c_void_p]),
    ("PQstatus", ctypes.c_int, [ctypes.c_void_p]),
    ("PQerrorMessage", ctypes.c_char_p, [ctypes.c_void_p]),
    ("PQexec", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
    ("PQresultStatus", ctypes.c_int, [ctypes.c_void_p]),
    ("PQntuples", ctypes.c_int, [ctypes.c_void_p]),
    ("PQnfields", ctypes.c_int, [ctypes.c_void_p]),
    ("PQgetvalue", ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]),
    ("PQclear", None, [ctypes.c_void_p]),
]:
    getattr(_pq, _name).restype = _answer
    getattr(_pq, _name).argtypes = _arguments

_command_ok, _tuples_ok = 1, 2


class Connection:
    def __init__(self, url):
        self._connection = _pq.PQconnectdb(url.encode())
        if _pq.PQstatus(self._connection) != 0:
            raise RuntimeError(self._error())
        self.rows("set client_min_messages = warning")

    def rows(self, sql):
        """The rows of the last statement, each a tuple of strings."""
        result = _pq.PQexec(self._connection, sql.encode())
        try:
            if _pq.PQresultStatus(result) not in (_command_ok, _tuples_ok):
                raise RuntimeError(f"{self._error()}\nin: {sql}")
            columns = range(_pq.PQnfields(result))
            return [
                tuple(_pq.PQgetvalue(result, row, column).decode() for column in columns)
                for row in range(_pq.PQntuples(result))
            ]
        finally:
            _pq.PQclear(result)

    def value(self, sql):
        return self.rows(sql)[0][0]

    def number(self, sql):
        return int(self.value(sql))

    def close(self):
        _pq.PQfinish(self._connection)
        self._connection = None

    def _error(self):
        return _pq.PQerrorMessage(self._connection).decode().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
