import type { Metadata } from '../model/metadata.js';
import { toMetadata } from './metadata.js';
import { readXml } from './xml.js';
import type { XmlElement } from './xml.js';

/** Reads the `.nuspec` of a NuGet package. Null without a usable name and version. Never throws. */
export function parseNuspec(bytes: Buffer): Metadata | null {
  const element = elementsOf(bytes, 'package/metadata/');
  return toMetadata('nupkg', {
    name: element('id')?.text ?? null,
    version: element('version')?.text ?? null,
    summary: element('summary')?.text ?? element('description')?.text ?? null,
    homePage: element('projectUrl')?.text ?? null,
  });
}

/** Reads the `extension.vsixmanifest` of an extension of Visual Studio or Visual Studio Code. Likewise. */
export function parseVsixManifest(bytes: Buffer): Metadata | null {
  const element = elementsOf(bytes, 'PackageManifest/Metadata/');
  const attributes = element('Identity')?.attributes;
  return toMetadata('vsix', {
    name: attributes?.get('Id') ?? null,
    version: attributes?.get('Version') ?? null,
    platform: attributes?.get('TargetPlatform') ?? null,
    summary: element('Description')?.text ?? null,
  });
}

/** The elements of one element by their names; null for one that is not there, or more than once. */
function elementsOf(bytes: Buffer, parent: string): (name: string) => XmlElement | null {
  const elements = readXml(bytes) ?? [];
  return (name) => {
    const found = elements.filter(({ path }) => path === parent + name);
    return found.length === 1 ? (found[0] ?? null) : null;
  };
}
