"""Opens an encrypted onevault repository for onevault_decode.py; written from docs/format.md alone (section 17). Needs the module cryptography (Debian: python3-cryptography).
The secret comes from the environment: ONEVAULT_PASSPHRASE, ONEVAULT_PASSPHRASE_FILE (either may be a recovery key), or ONEVAULT_KEY_FILE."""
import hashlib, hmac, json, os, unicodedata
from importlib import import_module, util

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
canonical = lambda value: json.dumps(value, sort_keys=True, separators=(',', ':'), ensure_ascii=False).encode()  # what slots and configs hold
hkdf = lambda data, salt, info: HKDF(SHA256(), 32, salt, info.encode()).derive(data)
mac = lambda key, data: hmac.new(key, data, hashlib.sha256).digest()

def recovery_key(text):  # [17.7]
    plain = ''.join(text.upper().replace('-', ' ').split()).replace('O', '0').replace('I', '1').replace('L', '1')[4:]
    symbols, bits = [SYMBOLS.index(symbol) for symbol in plain], 0
    if len(symbols) != 65:
        raise SystemExit('a recovery key has 65 symbols after OVRK')
    twice = lambda value: value << 1 ^ (0b100101 if value & 16 else 0)
    for group in range(13):
        check = group
        for symbol in symbols[5 * group:5 * group + 4]:
            check, bits = twice(check) ^ symbol, bits << 5 | symbol
        if twice(check) != symbols[5 * group + 4]:
            raise SystemExit(f'the recovery key is mistyped in group {group + 1}')
    return (bits >> 4).to_bytes(32, 'big')

def secret():  # the kind of slot, and the bytes
    names = [name for name in ('ONEVAULT_PASSPHRASE', 'ONEVAULT_PASSPHRASE_FILE', 'ONEVAULT_KEY_FILE') if os.environ.get(name)]
    if len(names) != 1:
        raise SystemExit('the repository is encrypted: set ONEVAULT_PASSPHRASE, ONEVAULT_PASSPHRASE_FILE or ONEVAULT_KEY_FILE')
    value = os.environ[names[0]]
    if names[0] != 'ONEVAULT_PASSPHRASE':
        with open(value, 'rb') as file:
            value = file.read()
        if names[0] == 'ONEVAULT_KEY_FILE':
            return 'keyFile', value
        value = value.decode()
    value = value.removesuffix('\n').removesuffix('\r')
    if value.strip().upper().startswith('OVRK-'):
        return 'recovery', recovery_key(value)
    return 'passphrase', unicodedata.normalize('NFC', value).encode()

def slot_key(derivation, data):  # [17.7]
    salt = bytes.fromhex(derivation['salt'])
    if derivation['algorithm'] == 'hkdf-sha256':
        return hkdf(data, salt, 'onevault 1 key slot')
    n, r, p = 1 << derivation['logN'], derivation['r'], derivation['p']
    if not (14 <= derivation['logN'] <= 20 and 1 <= r <= 32 and 1 <= p <= 16 and 128 * n * r * p <= 1 << 30):
        raise ValueError('more work than the format allows')
    return Scrypt(salt, 32, n, r, p).derive(data)

class Keys:
    def __init__(self, root, config, master):
        self.root, self.algorithm = root, config['digest']
        self.key = {purpose: hkdf(master, bytes.fromhex(config['id']), f'onevault 1 {purpose}') for purpose in ('digest', 'chunk', 'json', 'structure', 'config')}
        facts = {**config, 'encryption': {name: config['encryption'][name] for name in ('cipher', 'kdf')}}
        if mac(self.key['config'], canonical(facts)).hex() != config['encryption']['mac']:
            raise SystemExit('the config was changed by somebody without the key')  # [17.1]

    def name(self, path):  # the key of an object in the store
        return os.path.relpath(path, self.root).replace(os.sep, '/')

    def open(self, purpose, sealed, data):  # [17.3]: nonce, ciphertext and tag
        return AESGCM(mac(self.key[purpose], sealed[:12])).decrypt(sealed[12:24], sealed[24:], data)

    def sum(self, path, data):  # [17.6]
        return mac(self.key['structure'], self.name(path).encode() + b'\0' + data)

    def digest(self):  # [17.2]; None when it cannot be computed here: the seals are checked all the same
        if self.algorithm == 'sha256':
            return lambda data: mac(self.key['digest'], data)
        return util.find_spec('blake3') and (lambda data: import_module('blake3').blake3(data, key=self.key['digest']).digest())

def unlock(root, config, envelope):
    if (config['encryption'].get('cipher'), config['encryption'].get('kdf')) != ('aes-256-gcm', 'hkdf-sha256'):
        raise SystemExit('an encryption of a newer version')
    kind, data = secret()
    for name in sorted(os.listdir(os.path.join(root, 'keys'))):
        try:
            slot = envelope(os.path.join(root, 'keys', name), 'key', 'formatVersion repositoryId id created kind label derivation wrapped')
            if slot['kind'] == kind and slot['repositoryId'] == config['id']:
                wrapped = bytes.fromhex(slot.pop('wrapped'))
                return Keys(root, config, AESGCM(slot_key(slot['derivation'], data)).decrypt(bytes(12), wrapped, canonical(slot)))
        except Exception:  # damaged, or of another secret
            continue
    raise SystemExit('no key slot opens with this secret')
