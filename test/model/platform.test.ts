import { describe, expect, it } from 'vitest';
import { namesSystem } from '../../src/model/platform.js';

describe('a platform', () => {
  it.each([
    'linux-amd64',
    'x86_64',
    'Linux',
    'macos-universal',
    'darwin-all',
    'win32',
    '64bit',
    'windows-64-bit',
    'x86_64-unknown-linux-musl',
    'cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64',
    'cp39-abi3-win_amd64',
    'linux-any',
    'linux-64',
    // A word that nobody knows may be a system.
    'amigaos',
  ])('%s names a system or an architecture', (platform) => {
    expect(namesSystem(platform)).toBe(true);
  });

  it.each([
    'any',
    'all',
    'noarch',
    'universal',
    'none',
    'java',
    'ruby',
    'static',
    'musl',
    'py3-none-any',
    'py2.py3-none-any',
  ])('%s names none', (platform) => {
    expect(namesSystem(platform)).toBe(false);
  });
});
