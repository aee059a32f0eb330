import { createHmac, timingSafeEqual } from 'node:crypto';
import type { MasterKey } from '../crypto/master-key.ts';
import { fromHex } from '../format/bytes.ts';
import { configFacts } from '../format/config.ts';
import type { RepositoryConfig } from '../repository-api.ts';

/** HMAC-SHA-256 over every field of the config but this one: what is read before the key is there is believed only after it (I31). */
export function configMac(config: RepositoryConfig, master: MasterKey): string {
  return createHmac('sha256', master.derive('config')).update(configFacts(config)).digest('hex');
}

export function checkConfigMac(config: RepositoryConfig, master: MasterKey): boolean {
  return config.encryption !== undefined && timingSafeEqual(fromHex(config.encryption.mac), fromHex(configMac(config, master)));
}
