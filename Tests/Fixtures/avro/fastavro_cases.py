"""An independent opinion on Avro: random schemas, records and files, read and written by the fastavro library.

cases SEED COUNT   random pairs of a writer's and a reader's schema with encoded records and what fastavro makes of them
files SEED         object files of every codec, in base64, with their records
read FILE          the records of an object file, a JSON object a line
"""
import base64, datetime, decimal, io, json, random, sys
import fastavro

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
WORDS = ["", "a", "voice", "données", "漢字", "x" * 70, "line\nend", "quote\""]
SYMBOLS = ["VOICE", "SMS", "DATA", "MMS", "FAX"]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.names = 0

    def name(self, kind):
        self.names += 1
        return f"{kind}{self.names}"

    def scalar(self):
        pick = self.random.randrange(17)
        simple = ["boolean", "int", "long", "float", "double", "string", "bytes"]
        if pick < 7: return simple[pick]
        if pick == 7: return {"type": "int", "logicalType": "date"}
        if pick == 8: return {"type": "long", "logicalType": "timestamp-millis"}
        if pick in (9, 10): return {"type": "long", "logicalType": "timestamp-micros"}
        if pick in (11, 12):
            precision = self.random.choice([5, 18, 19, 30, 38])
            scale = self.random.randrange(0, min(precision, 6))
            return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
        if pick == 13:
            return {"type": "fixed", "name": self.name("D"), "size": 8, "logicalType": "decimal", "precision": 18, "scale": 4}
        if pick == 14: return {"type": "fixed", "name": self.name("F"), "size": self.random.randrange(1, 9)}
        count = self.random.randrange(1, 5)
        return {"type": "enum", "name": self.name("E"), "symbols": self.random.sample(SYMBOLS, count)}

    def type(self, depth=0):
        pick = self.random.randrange(10)
        if pick < 3:
            scalar = self.scalar()
            branches = ["null", scalar]
            self.random.shuffle(branches)
            return branches
        if pick == 3 and depth < 2: return {"type": "array", "items": self.type(depth + 1) if pick % 2 else self.scalar()}
        if pick == 4 and depth < 2: return {"type": "map", "values": self.type(depth + 1)}
        if pick == 5 and depth < 2:
            fields = [{"name": f"i{n}", "type": self.type(depth + 1)} for n in range(self.random.randrange(0, 3))]
            return {"type": "record", "name": self.name("R"), "fields": fields}
        return self.scalar()

    def record(self):
        fields = [{"name": f"f{n}", "type": self.type()} for n in range(self.random.randrange(1, 8))]
        return {"type": "record", "name": "Usage", "fields": fields}

    # A reader's schema that differs as schemas come to differ.
    def evolve(self, writer):
        fields = []
        for field in writer["fields"]:
            pick = self.random.randrange(8)
            if pick == 0: continue
            field = json.loads(json.dumps(field))
            if pick == 1:
                field["aliases"] = [field["name"]]
                field["name"] = "renamed_" + field["name"]
            if pick in (2, 3): field["type"] = self.promoted(field["type"])
            if pick == 4 and not isinstance(field["type"], list): field["type"] = ["null", field["type"]]
            fields.append(field)
        for number in range(self.random.randrange(0, 3)):
            type = self.random.choice(["boolean", "int", "long", "double", "string", ["null", "long"]])
            value = {"boolean": True, "int": -7, "long": 1 << 40, "double": 2.5, "string": "d\u00e9faut"}.get(type if isinstance(type, str) else "", None)
            field = {"name": f"added{number}", "type": type, "default": value}
            if self.random.randrange(6) == 0: del field["default"]
            fields.append(field)
        self.random.shuffle(fields)
        return {"type": "record", "name": "Usage", "fields": fields}

    def promoted(self, type):
        wider = {"int": ["long", "float", "double"], "long": ["float", "double"], "float": ["double"],
                 "string": ["bytes", "int"], "bytes": ["string"]}
        if isinstance(type, str) and type in wider: return self.random.choice(wider[type])
        if isinstance(type, dict) and type["type"] == "enum":
            type["symbols"] = [s for s in type["symbols"] if self.random.randrange(3)] or [type["symbols"][0]]
            if self.random.randrange(2): type["default"] = type["symbols"][0]
        return type

    def value(self, type):
        r = self.random
        if isinstance(type, list): return self.value(r.choice(type))
        if isinstance(type, dict):
            logical = type.get("logicalType")
            if logical == "date": return datetime.date(1970, 1, 1) + datetime.timedelta(days=r.randrange(-700000, 2900000))
            if logical == "timestamp-millis": return EPOCH + datetime.timedelta(milliseconds=r.randrange(-10**13, 10**14))
            if logical == "timestamp-micros":
                micros = r.randrange(-10**13, 10**14) * 1000 + r.choice([0, 0, 0, 0, 1, 999])
                return EPOCH + datetime.timedelta(microseconds=micros)
            if logical == "decimal":
                digits = r.randrange(0, type["precision"] + 1)
                unscaled = r.randrange(-10**digits + 1, 10**digits)
                if type["type"] == "fixed": unscaled = max(-2**62, min(2**62, unscaled))
                return decimal.Decimal(unscaled).scaleb(-type["scale"], decimal.Context(prec=60))
            kind = type["type"]
            if kind == "fixed": return r.randbytes(type["size"])
            if kind == "enum": return r.choice(type["symbols"])
            if kind == "array": return [self.value(type["items"]) for _ in range(r.choice([0, 1, 3, 70]))]
            if kind == "map": return {r.choice(WORDS) + str(n): self.value(type["values"]) for n in range(r.randrange(3))}
            if kind == "record": return {f["name"]: self.value(f["type"]) for f in type["fields"]}
            return self.value(kind)
        if type == "null": return None
        if type == "boolean": return r.randrange(2) == 1
        if type == "int": return r.choice([0, -1, 63, 64, -65, 2**23, r.randrange(-2**23, 2**23)])
        if type == "long": return r.choice([0, -1, 2**23, r.randrange(-2**23, 2**23), 2**62, -2**63])
        if type == "float": return r.choice([0.0, -1.5, 2.0**20, 0.15625])
        if type == "double": return r.choice([0.0, -1.5, 1e300, r.uniform(-1e6, 1e6)])
        if type == "string": return r.choice(WORDS)
        return r.randbytes(r.randrange(0, 20))


class Lossy(Exception):
    pass


def plain(value):
    """A value as the tests compare it."""
    if isinstance(value, datetime.datetime):
        micros = (value - EPOCH) // datetime.timedelta(microseconds=1)
        if micros % 1000: raise Lossy()
        return {"timestamp": micros // 1000}
    if isinstance(value, datetime.date): return {"date": (value - datetime.date(1970, 1, 1)).days}
    if isinstance(value, decimal.Decimal): return {"decimal": format(value, "f")}
    if isinstance(value, bytes): return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, float): return {"double": value.hex()}
    if isinstance(value, (list, dict)): return "nested"
    return value


def outcome(data, writer, reader):
    try:
        row = fastavro.schemaless_reader(io.BytesIO(data), writer, reader)
        return {name: plain(value) for name, value in row.items()}
    except Lossy:
        return None
    except (fastavro.read.SchemaResolutionError, ValueError, TypeError, KeyError):
        return None


def cases(seed, count):
    maker = Maker(seed)
    result = []
    for _ in range(count):
        writer = maker.record()
        reader = maker.evolve(writer)
        if not reader["fields"]: continue
        text, readerText = json.dumps(writer), json.dumps(reader)
        records = []
        for _ in range(4):
            buffer = io.BytesIO()
            fastavro.schemaless_writer(buffer, fastavro.parse_schema(json.loads(text)), maker.value(writer))
            row = outcome(buffer.getvalue(), fastavro.parse_schema(json.loads(text)),
                          fastavro.parse_schema(json.loads(readerText)))
            records.append({"data": base64.b64encode(buffer.getvalue()).decode(), "row": row})
        result.append({"writer": text, "reader": readerText, "records": records})
    json.dump(result, sys.stdout, ensure_ascii=True)


def files(seed):
    maker = Maker(seed)
    result = []
    for codec in ["null", "deflate", "zstandard"]:
        writer = maker.record()
        rows = [maker.value(writer) for _ in range(200)]
        buffer = io.BytesIO()
        fastavro.writer(buffer, fastavro.parse_schema(json.loads(json.dumps(writer))), rows, codec=codec, sync_interval=400,
                        sync_marker=bytes(range(100, 116)))
        def row(value):
            try: return {name: plain(item) for name, item in value.items()}
            except Lossy: return None
        result.append({"file": base64.b64encode(buffer.getvalue()).decode(), "schema": json.dumps(writer),
                       "rows": [row(value) for value in rows]})
    json.dump(result, sys.stdout, ensure_ascii=True)


def read(path):
    with open(path, "rb") as file:
        for row in fastavro.reader(file):
            print(json.dumps({name: plain(value) for name, value in row.items()}))


if __name__ == "__main__":
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "cases": cases(int(arguments[0]), int(arguments[1]))
    if command == "files": files(int(arguments[0]))
    if command == "read": read(arguments[0])
