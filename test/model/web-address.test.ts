import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isNotifyAddress, isPlaceAddress, isWebAddress } from '../../src/model/web-address.js';

const PLACES = [
  ...[
    'http://a',
    'https://example.org/',
    'https://Example.ORG/dist',
    'http://a_b-c.d:1/x',
    'https://3com.net',
  ],
  ...['http://0.0.0.0', 'http://255.255.255.255:65535/', 'http://[::1]', 'http://[2001:db8::1]:8080/a'],
  ...['https://xn--bcher-kva.example/a', 'https://a/%zz', 'https://a/b@c:d', 'https://1.2.3.4.a/"<>{}|^`'],
];
const PAGES = ['https://a?b', 'https://a#b', 'https://a/b?c=d&e#f?g'];
const NEITHER = [
  ...[
    '',
    'https:',
    'https://',
    'https:///a',
    'HTTP://a',
    'hTTps://a',
    'ftp://a',
    'file:///a',
    'javascript:x',
  ],
  ...['https://a b', ' https://a', 'https://a ', 'https://a\n', 'https://a/\u00e9', 'https://\u00e9.org'],
  ...['https://u@a', 'https://u:p@a', 'https://:@a', 'https://a:80:80', 'https://a:', 'https://a:0'],
  ...['https://a:00', 'https://a:080', 'https://a:65536', 'https://a:99999', 'https://a:x', 'https://a:-1'],
  ...[
    'https://.a',
    'https://a.',
    'https://a..b',
    'https://a%2eb',
    'https://a\\b',
    'https://a/\\b',
    'https://a,b',
  ],
  ...[
    'https://1',
    'https://127.1',
    'https://1.2.3.256',
    'https://1.2.3.04',
    'https://1.2.3.4.5',
    'https://a.1',
  ],
  ...['https://0x7f.1', 'https://a.0x', 'https://0x7f000001', 'https://a.0X1', 'https://[::1', 'https://[]'],
  ...[
    'https://[1.2.3.4]',
    'https://[::1%25eth0]',
    'https://[:::]',
    'https://xn--a/',
    'https://a.xn--/',
    'https://XN--a',
  ],
];

test('a place is a web address without ? and #', () => {
  for (const text of PLACES)
    expect([text, isWebAddress(text), isPlaceAddress(text)]).toEqual([text, true, true]);
  for (const text of PAGES)
    expect([text, isWebAddress(text), isPlaceAddress(text)]).toEqual([text, true, false]);
  for (const text of NEITHER)
    expect([text, isWebAddress(text), isPlaceAddress(text)]).toEqual([text, false, false]);
});

test.each(['mailto:ann@example.org', 'mailto:a.b+c@d?subject=e%20f', 'https://example.org/report?a'])(
  'people can report to %s',
  (text) => {
    expect(isNotifyAddress(text)).toBe(true);
  },
);

test.each([
  ...[
    'mailto:',
    'mailto:ann',
    'mailto:@a',
    'mailto:a@',
    'mailto:a@b@c',
    'mailto:a@b,c@d',
    'mailto:a@b ',
    'mailto:a@1',
  ],
  ...[
    'Mailto:a@b',
    'mailto://a@b',
    'mailto:a@b#c',
    'mailto:a@b?c d',
    'http://a',
    'HTTPS://a',
    'https://',
    'ann@a',
  ],
])('and not to %j', (text) => {
  expect(isNotifyAddress(text)).toBe(false);
});

describe('whatever passes', () => {
  const part = fc.stringMatching(/^[A-Za-z0-9.:[\]@%\\?#/x_-]{0,12}$/);
  const odd = fc
    .tuple(
      fc.constantFrom('http://', 'https://', 'https:/', 'HTTPS://'),
      part,
      fc.constantFrom('', '/', ':80/'),
      part,
    )
    .map((parts) => parts.join(''));

  test('is an address of one site for the parser of browsers too, without a user', () => {
    fc.assert(
      fc.property(odd, (text) => {
        if (!isWebAddress(text)) return;
        const { protocol, username, password, host } = new URL(text);
        expect([text.startsWith(`${protocol}//`), username, password]).toEqual([true, '', '']);
        const [, written = ''] = /^https?:\/\/([^/?#]*)/.exec(text) ?? [];
        const port = protocol === 'http:' ? ':80' : ':443';
        const isSame = [host, host + port].includes(written.toLowerCase());
        expect(isSame || written.startsWith('[')).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});
