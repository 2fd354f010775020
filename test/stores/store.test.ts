import { expect, test } from 'vitest';
import { DIRECT_NETWORK, openNetwork } from '../../src/net/transport.js';
import { openStore } from '../../src/stores/store.js';
import type { StoreSettings } from '../../src/stores/settings.js';

function addressIn(bucket: string, more: Partial<StoreSettings> = {}): string {
  const credentials = { accessKeyId: 'id', secretAccessKey: 'secret', sessionToken: null };
  const settings = { endpoint: null, region: 'eu-north-1', addressing: 'auto', authorities: null } as const;
  const network = openNetwork(DIRECT_NETWORK);
  const options = { bucket, destination: '', network, clock: () => new Date() };
  return openStore({ ...options, settings: { ...settings, credentials, ...more } }).urlOf("a b/ü+~'.gz");
}

const KEY = 'a%20b/%C3%BC%2B~%27.gz';

test('a bucket of AWS is a host, unless certificates are for no such host', () => {
  expect(addressIn('my-bucket')).toBe(`https://my-bucket.s3.eu-north-1.amazonaws.com/${KEY}`);
  expect(addressIn('my.bucket')).toBe(`https://s3.eu-north-1.amazonaws.com/my.bucket/${KEY}`);
  expect(addressIn('my-bucket', { region: 'cn-north-1', addressing: 'path' })).toBe(
    `https://s3.cn-north-1.amazonaws.com.cn/my-bucket/${KEY}`,
  );
});

test('a bucket of another store is a path, unless the settings say otherwise', () => {
  const endpoint = 'http://store.example:9000/base/';
  expect(addressIn('my-bucket', { endpoint })).toBe(`http://store.example:9000/base/my-bucket/${KEY}`);
  expect(addressIn('my-bucket', { endpoint, addressing: 'virtual' })).toBe(
    `http://my-bucket.store.example:9000/base/${KEY}`,
  );
});
