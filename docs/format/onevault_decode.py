#!/usr/bin/env python3
"""Reads a onevault repository of format version 1; written from docs/format.md alone (its sections are in brackets), for the day when onevault is gone.
  onevault_decode.py REPO list                       restore points, their disks and metadata files
  onevault_decode.py REPO restore POINT NAME FILE    one disk (sparse) or metadata file into a new file; what is damaged stays zeros and is told
  onevault_decode.py REPO check                      every manifest, pack, index table, disk index and chunk
Needs Python 3.9, a zstd decoder (Python 3.14, the module zstandard or the command zstd), onevault_unlock.py for encryption, the module blake3 to check BLAKE3."""
import glob, hashlib, json, os, re, subprocess, sys
from importlib import import_module, util
from struct import iter_unpack, pack, unpack, unpack_from

ZERO, PER_PAGE, MIB, sys.tracebacklimit = bytes(32), 1024, 1 << 20, 0
ZSTD = 'compression.zstd' if util.find_spec('_zstd') else 'zstandard' if util.find_spec('zstandard') else None
unzstd = import_module(ZSTD).decompress if ZSTD else lambda data: subprocess.run(['zstd', '-dcq', '-M8MB'], input=data, stdout=subprocess.PIPE, check=True).stdout
sha256 = lambda data: hashlib.sha256(data).digest()
HASHES = {'sha256': sha256, 'blake3': util.find_spec('blake3') and (lambda data: import_module('blake3').blake3(data).digest())}

def need(condition, what):
    if not condition: raise ValueError(what)
def read(path, offset=0, length=-1):
    with open(path, 'rb') as file:
        file.seek(offset)
        data = file.read(length)
    need(length in (-1, len(data)), 'shorter than it should be')
    return data

def envelope(path, kind, fields, keys=None):  # [4.1], [17.5]
    head, _, body = read(path).partition(b'\n')
    seal = json.loads(head).get('encryption') or {} if keys else None
    expected = {'encryption': seal, 'length': len(body) - 1, 'object': kind, 'sha256': sha256(body[:-1]).hex(), 'version': 1}
    need(json.loads(head) == expected and body[-1:] == b'\n' and len(head) < 512, f'damaged, or of another version than 1: {head[:200]}')
    body = json.loads(keys.open('json', bytes.fromhex(seal['nonce']) + body[:-1], f'{kind}\0{keys.name(path)}'.encode()) if keys else body)
    need(set(body) - {'parentId', 'origin'} == set(fields.split()), 'unknown or missing fields')
    return body

class Repository:
    def __init__(self, root):
        config = envelope(os.path.join(root, 'onevault.json'), 'config', 'formatVersion id created digest blockSizeBytes compression encryption')
        self.root, self.places, self.points, self.damage, self.id, self.block = root, {}, [], 0, bytes.fromhex(config['id']), config['blockSizeBytes']
        self.keys = import_module('onevault_unlock').unlock(root, config, envelope) if config['encryption'] else None  # [17]
        self.sum, self.digest = (self.keys.sum, self.keys.digest()) if self.keys else (lambda _, data: sha256(data), HASHES.get(config['digest']))
        self.digest or print(f'note: no Python module {config["digest"]}: the digests of chunks are NOT checked', file=sys.stderr)
        self.each('packs', r'([0-9a-f]{2})/\1[0-9a-f]{30}', self.load_pack)
        self.each('points', r'[a-z0-9-]{1,64}/\d{8}T\d{9}Z-[0-9a-f]{16}\.json', self.load_point)

    def each(self, folder, names, work):  # [3]: what has another name is not an object
        for path in sorted(glob.glob(os.path.join(glob.escape(os.path.join(self.root, folder)), '**'), recursive=True)):
            if re.fullmatch(names, os.path.relpath(path, os.path.join(self.root, folder)).replace(os.sep, '/')):
                self.guard(path, work, path)

    def guard(self, what, work, *arguments):
        try:
            return work(*arguments)
        except Exception as error:
            self.damage += 1
            print(f'DAMAGED {what}: {error}', file=sys.stderr)

    def load_pack(self, path):  # [6]
        size, pack_id = os.path.getsize(path), bytes.fromhex(os.path.basename(path))
        header, footer = read(path, 0, 64), read(path, size - 64, 64)
        magic, version, entries, start, length, reserved, checksum = unpack('<8s4I8s32s', footer)
        need((magic, version, reserved) == (b'onevpend', 1, bytes(8)) and 1 <= entries <= 65536, 'no pack footer')
        need(length == 48 * entries and start + length + 64 == size <= 128 * MIB, 'lengths do not add up')
        trailer, place = read(path, start, length), 64
        need(self.sum(path, header + trailer + footer[:32]) == checksum, 'checksum')
        need(header == b'onevpack' + pack('<II', 1, 0) + self.id + pack_id + bytes(16), 'header')
        for offset, coding, plain, stored, digest in iter_unpack('<I4sII32s', trailer):
            need(offset == place, 'gap between chunks')
            self.places.setdefault(digest, []).append((pack_id + pack('<II8x', size, entries), offset, stored, plain, coding, path))
            place += 48 + stored
        need(place == start, 'gap before the trailer')

    def chunk(self, digest, length):  # [5], [10]: any copy that passes the check is right
        errors = []
        for _, offset, stored, plain, (kind, codec, *others), path in self.places.get(digest, []):
            try:
                sealed, header = 40 if self.keys else 0, b'ovck' + pack('<4BII', kind, codec, *others, plain, stored) + digest
                need(1 <= kind <= 4 and codec <= 1 and others == [sealed // 40, 0] and (stored < plain + sealed if codec else stored == plain + sealed), 'kind or lengths')
                need(read(path, offset, 48) == header, 'header differs from the trailer')
                data = self.keys.open('chunk', read(path, offset + 48, stored), header) if self.keys else read(path, offset + 48, stored)  # [17.4]
                if codec == 1:  # RFC 8878, 3.1.1.1
                    flag, single = data[4] >> 6, data[4] >> 5 & 1
                    size = int.from_bytes(data[6 - single:6 - single + (1 << flag)], 'little') + (256 if flag == 1 else 0)
                    need(data[:4] == b'\x28\xb5\x2f\xfd' and data[4] & 0x1b == 0 and (flag or single) and size == plain, 'zstd frame header')
                    data = unzstd(data)
                need(len(data) == plain == length and (self.digest is None or self.digest(data) == digest), 'wrong content')
                return data
            except Exception as error:  # zstd decoders raise errors of their own
                errors.append(f'is damaged in {path} at {offset}: {error}')
        raise ValueError(f'chunk {digest.hex()} {"; ".join(errors) or "is missing"}')

    def check_table(self, path):  # [7]
        data, items = read(path), ([], [])
        magic, version, size, entries, first_pack, pack_pages, packs, reserved, tag, repository, fence = unpack_from('<8sIIQ4I8s16s32s', data[-128:])
        pages, fences = first_pack + pack_pages, data[4096 * (first_pack + pack_pages):-128]
        need((magic, version, size, reserved, repository) == (b'onevindx', 1, 4096, 0, self.id) and self.sum(path, data[-128:-32]) == data[-32:], 'footer')
        need(len(data) == 4096 * pages + 8 * first_pack + 128 and self.sum(path, fences) == fence, 'length or fence')
        for number in range(pages):
            page, (kind, width, room) = data[4096 * number:4096 * number + 4096], (1, 44, 92) if number < first_pack else (2, 32, 126)
            count, least = unpack_from('<H', page, 2)[0], 1 if number + 1 in (first_pack, pages) else room
            need(page[:16] == pack('<BBHI', kind, 0, count, number) + tag and self.sum(path, page[:4064]) == page[4064:], f'page {number}')
            need(least <= count <= room and not any(page[16 + width * count:4064]), f'items of page {number}')
            items[kind - 1].extend(page[at:at + width] for at in range(16, 16 + width * count, width))
        need((len(items[0]), len(items[1])) == (entries, packs) and all(a[:32] < b[:32] for a, b in zip(items[0], items[0][1:])), 'counts or order')
        need(fences == b''.join(item[:8] for item in items[0][::92]), 'fence')
        for digest, number, offset, stored in (unpack('<32s3I', item) for item in items[0]):
            need((items[1][number], offset, stored) in [place[:3] for place in self.places.get(digest, [])], f'entry {digest.hex()} is not in its pack')

    def load_point(self, path):  # [9]
        point = envelope(path, 'point', 'formatVersion repositoryId id group runId capturedAt committedAt mode disks metadata annotations stats', self.keys)
        need([self.id.hex(), *path.split(os.sep)[-2:]] == [point['repositoryId'], point['group'], point['id'] + '.json'], 'of another place')
        self.points.append(point)

    def blocks(self, disk):  # [8]: offset, length and digest of each block that is not zeros
        size, root, count = disk['sizeBytes'], bytes.fromhex(disk['root']), -(-disk['sizeBytes'] // self.block)
        pages = -(-count // PER_PAGE) if root != ZERO else 0
        index = self.chunk(root, 64 + 32 * pages) if pages else b''
        need(index[:64] in (b'', b'onevroot' + pack('<IIQII', 1, self.block, size, pages, PER_PAGE) + ZERO), 'the root is of another disk')
        for first, digest in ((page * PER_PAGE, index[64 + 32 * page:96 + 32 * page]) for page in range(pages)):
            digests = self.guard(f'page of {disk["key"]}', self.chunk, digest, 32 * min(PER_PAGE, count - first)) or b'' if digest != ZERO else b''
            for number, at in enumerate(range(0, len(digests), 32), first):
                if digests[at:at + 32] != ZERO:
                    yield number * self.block, min(self.block, size - number * self.block), digests[at:at + 32]

    def parts(self, thing):  # a disk's blocks, or a metadata file as one block
        return self.blocks(thing) if 'root' in thing else [(0, thing['sizeBytes'], bytes.fromhex(thing['digest']))][:thing['sizeBytes']]

    def restore(self, thing, path):  # [10]
        with open(path, 'xb') as file:
            file.truncate(thing['sizeBytes'])
            for offset, length, digest in self.parts(thing):
                file.seek(offset)
                file.write(self.guard(f'from byte {offset}, {length} bytes', self.chunk, digest, length) or b'')

def main(root, command, point_id='', wanted='', path=''):
    repository, chunks = Repository(root), {}
    for point, thing in [(point, thing) for point in repository.points for thing in point['disks'] + point['metadata']]:
        name = thing.get('key', thing.get('name'))
        if command != 'restore':
            print(point['id'], point['group'], point['capturedAt'], 'disk' if 'root' in thing else 'file', name, thing['sizeBytes'])
        elif (point['id'], name) == (point_id, wanted):
            return repository.guard(name, repository.restore, thing, path) or min(repository.damage, 1)
        for offset, *chunk in repository.guard(name, list, repository.parts(thing)) or [] if command == 'check' else []:
            chunks.setdefault(tuple(chunk), []).append(f'{point["id"]} {name} from byte {offset}')
    for (length, digest), places in chunks.items():
        repository.guard(', '.join(places), repository.chunk, digest, length)
    if command == 'check':
        repository.each('index', r'\d{8}T\d{9}Z-[0-9a-f]{16}', repository.check_table)
    return 'no such restore point, disk or file' if command == 'restore' else min(repository.damage, 1)

sys.exit(main(*sys.argv[1:]) if len(sys.argv) == {'list': 3, 'check': 3, 'restore': 6}.get((sys.argv + ['', ''])[2]) else __doc__)
