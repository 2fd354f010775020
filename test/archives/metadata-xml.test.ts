import { expect, it } from 'vitest';
import { parseNuspec, parseVsixManifest } from '../../src/archives/metadata-xml.js';

const nuspec = (metadata: string) =>
  parseNuspec(Buffer.from(`<package><metadata>${metadata}</metadata></package>`));
const vsix = (metadata: string) =>
  parseVsixManifest(Buffer.from(`<PackageManifest><Metadata>${metadata}</Metadata></PackageManifest>`));

it('a nuspec gives id, version, summary or description, and the address of the project', () => {
  const named = '<id>Tiny</id><version> 1.0.0-beta </version><description>a\ntool</description>';
  const described = { kind: 'nupkg', name: 'Tiny', version: '1.0.0-beta', summary: 'a tool', homePage: null };
  expect(nuspec(named)).toEqual(described);
  expect(nuspec(`${named}<summary>s</summary><projectUrl>https://example.org</projectUrl>`)).toEqual({
    ...described,
    ...{ summary: 's', homePage: 'https://example.org' },
  });
  expect(nuspec(`${named}<id>Other</id>`)).toBeNull();
  expect(nuspec('<a><id>Tiny</id><version>1</version></a>')).toBeNull();
  expect(nuspec('<id>$id$ x</id><version>1</version>')).toBeNull();
});

it('the manifest of an extension gives id, version, platform and description', () => {
  const identity =
    '<Identity Language="en" Id="tiny" Version="1.0.0" Publisher="p" TargetPlatform="win32-x64"/>';
  expect(vsix(`${identity}<Description>a tool</Description>`)).toEqual({
    ...{
      kind: 'vsix',
      name: 'tiny',
      version: '1.0.0',
      platform: 'win32-x64',
      summary: 'a tool',
      homePage: null,
    },
  });
  expect(vsix(identity + identity)).toBeNull();
  expect(vsix('<Identity Id="tiny"/>')).toBeNull();
});
