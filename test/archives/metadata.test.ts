import { describe, expect, it } from 'vitest';
import { toMetadata } from '../../src/archives/metadata.js';

const NAMED = { name: 'demo', version: '1.0' };

describe('what a package says of itself', () => {
  it('needs a name and a version that are plain words, and no longer than a database allows', () => {
    for (const word of [null, '', 'two words', 'd\u00e9mo', 'x\u001b[31m', 'a\nb', 'a\0', 'x'.repeat(1025)]) {
      expect(toMetadata('deb', { ...NAMED, name: word })).toBeNull();
      expect(toMetadata('deb', { ...NAMED, version: word })).toBeNull();
    }
  });

  it('has a platform only if it is one of the format', () => {
    for (const platform of ['linux-amd64', 'x86_64', 'a'.repeat(128)]) {
      expect(toMetadata('deb', { ...NAMED, platform })).toMatchObject({ platform });
    }
    for (const platform of [null, '', 'a b', 'a/b', '../x', '\u202e', 'a'.repeat(129), 'any\n']) {
      expect(toMetadata('deb', { ...NAMED, platform })).not.toHaveProperty('platform');
    }
  });

  it('T16: is shown on one line, without control characters, and with an address only if it is safe', () => {
    expect(
      toMetadata('deb', { ...NAMED, summary: 'a\u001b]0;x\u0007\n\u202eb', homePage: 'javascript:alert(1)' }),
    ).toEqual({ kind: 'deb', ...NAMED, summary: 'a ]0;x b', homePage: null });
    const homePage = (address: string) => toMetadata('deb', { ...NAMED, homePage: address })?.homePage;
    expect(homePage('HTTPS://example.org')).toBe('https://example.org');
    expect(homePage('https://bank.example@evil.example/')).toBeNull();
  });
});
