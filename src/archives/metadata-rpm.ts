import type { Metadata } from '../model/metadata.js';
import { toMetadata } from './metadata.js';
import type { Rpm } from './rpm.js';

/** What an rpm says of itself, its version as `rpm -qp --qf '%{EVR}'` writes it. Null without a usable name and version. */
export function describeRpm(rpm: Rpm): Metadata | null {
  const { name, epoch, version, release, arch, summary, url: homePage, isSource } = rpm;
  if (version === null || release === null) return null;
  const evr = `${epoch === null ? '' : `${epoch}:`}${version}-${release}`;
  return toMetadata('rpm', { name, version: evr, platform: isSource ? 'src' : arch, summary, homePage });
}
