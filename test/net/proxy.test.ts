import { describe, expect, test } from 'vitest';
import { NO_PROXIES, proxyFor, proxyName } from '../../src/net/proxy.js';

const PROXY = { ...NO_PROXIES, http: 'proxy:3128', https: 'https://user:pw@proxy.example:3129' };

function via(address: string, none = ''): string | null {
  return proxyFor(new URL(address), { ...PROXY, none })?.href ?? null;
}

test('a proxy without a scheme speaks http', () => {
  expect(via('http://example.org/')).toBe('http://proxy:3128/');
  expect(proxyFor(new URL('http://a/'), { ...NO_PROXIES, http: '127.0.0.1:3128' })?.href).toBe(
    'http://127.0.0.1:3128/',
  );
});

test('each scheme has its own proxy, and ALL_PROXY is for those that have none', () => {
  expect(via('https://example.org/')).toBe('https://user:pw@proxy.example:3129/');
  const all = { ...NO_PROXIES, all: 'http://all:1' };
  expect(proxyFor(new URL('http://a/'), all)?.href).toBe('http://all:1/');
  expect(proxyFor(new URL('https://a/'), { ...all, https: 'http://own:2' })?.href).toBe('http://own:2/');
  expect(proxyFor(new URL('https://a/'), NO_PROXIES)).toBeNull();
});

test.each(['socks5://127.0.0.1:1080', 'http://', 'http://user:secret@:x/'])('%s cannot be used', (text) => {
  const choose = () => proxyFor(new URL('http://a/'), { ...NO_PROXIES, all: text });
  expect(choose).toThrow(expect.objectContaining({ code: 'USAGE' }) as Error);
  expect(choose).not.toThrow(/secret/);
});

test('messages name a proxy without its password', () => {
  expect(proxyName(new URL(PROXY.https))).toBe('the proxy https://proxy.example:3129');
});

describe('NO_PROXY', () => {
  test.each([
    ['example.org', 'http://example.org/'],
    ['example.org', 'http://a.b.EXAMPLE.org/'],
    ['.example.org', 'http://example.org/'],
    ['*.example.org', 'http://a.example.org/'],
    ['example.org.', 'http://example.org/'],
    ['example.org:8080', 'http://example.org:8080/'],
    ['example.org:443', 'https://example.org/'],
    ['*', 'http://anything/'],
    ['other, example.org', 'http://example.org/'],
    ['other example.org', 'http://example.org/'],
    ['127.0.0.1', 'http://127.0.0.1:99/'],
    ['10.0.0.0/8', 'http://10.1.2.3/'],
    ['fd00::/8', 'http://[fd12::1]/'],
    ['[fd00::]/8', 'http://[fd12::1]/'],
    ['::1', 'http://[::1]/'],
    ['[::1]', 'http://[::1]:80/'],
  ])('%s covers %s', (none, address) => {
    expect(via(address, none)).toBeNull();
  });

  test.each([
    ['example.org', 'http://notexample.org/'],
    ['example.org', 'http://example.org.evil.test/'],
    ['example.org:8080', 'http://example.org/'],
    ['10.0.0.0/8', 'http://11.1.2.3/'],
    ['10.0.0.0/33', 'http://10.1.2.3/'],
    ['10.0.0.0/8', 'http://ten.example/'],
    ['0.1', 'http://10.0.0.1/'],
    ['fd00::/8', 'http://[fe80::1]/'],
    ['', 'http://example.org/'],
  ])('%s does not cover %s', (none, address) => {
    expect(via(address, none)).not.toBeNull();
  });
});
