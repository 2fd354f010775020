import { expect, test } from 'vitest';
import { netrcAuthorization } from '../../src/cli/netrc.js';
import { newPlace } from '../packsign.js';

const place = newPlace();

function loginFor(text: string, address = 'https://example.org/dist/'): string | null {
  const value = netrcAuthorization(new URL(address), place.write('netrc', text));
  return value === null ? null : Buffer.from(value.replace(/^Basic /, ''), 'base64').toString();
}

test.each([
  ['machine example.org login ada password secret', 'ada:secret'],
  ['machine example.org\n  login ada\n  password secret\n', 'ada:secret'],
  ['machine example.org\r\nlogin ada\r\npassword secret\r\n', 'ada:secret'],
  ['machine a login x password y\nmachine example.org password secret login ada', 'ada:secret'],
  ['machine example.org login ada', 'ada:'],
  ['machine example.org login ada account x password s#1', 'ada:s#1'],
  ['# machine example.org login eve\nmachine example.org login ada password secret', 'ada:secret'],
  ['macdef init\nmachine example.org login eve\n\nmachine example.org login ada password s', 'ada:s'],
  ['machine Example.ORG login ada password secret', 'ada:secret'],
  ['\uFEFFmachine a login x machine example.org login ada password s', 'ada:s'],
  ['machine example.org login ada password pass\u0000word', 'ada:pass\u0000word'],
  // The first entry counts.
  ['machine example.org login ada password 1 machine example.org login bob password 2', 'ada:1'],
])('%j gives %s', (text, login) => {
  expect(loginFor(text)).toBe(login);
});

test.each([
  '',
  'machine',
  'machine example.org',
  'machine other.example.org login ada password secret',
  'machine example.org.evil.test login ada password secret',
  'machine a login machine example.org password x',
  // It would give a password to every mirror.
  'default login ada password secret',
  'machine a login x password y default login ada password secret',
])('%j gives nothing', (text) => {
  expect(loginFor(text)).toBeNull();
});

test.each(['\n', '\t\n', 'macdef x\n', '#\n'])('a file with very many lines %j is read at once', (line) => {
  expect(loginFor(`${line.repeat(100_000)}\nmachine example.org login ada password s`)).toBe('ada:s');
});

test('an address of IPv6 is named without its brackets', () => {
  expect(loginFor('machine ::1 login ada password s', 'http://[::1]:8080/')).toBe('ada:s');
});

test('a file that is not there, or is none, gives nothing', () => {
  expect(netrcAuthorization(new URL('https://example.org/'), null)).toBeNull();
  expect(netrcAuthorization(new URL('https://example.org/'), place.path('none'))).toBeNull();
  expect(netrcAuthorization(new URL('https://example.org/'), place.root)).toBeNull();
});
