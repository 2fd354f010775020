import type { Metadata, MetadataKind } from '../model/metadata.js';
import { WORD_LIMIT, isPlainWord, oneLine } from '../model/text.js';
import { ADDRESS_LIMIT, isWebAddress } from '../model/web-address.js';

/** Longest summary of a package, in code points (docs/FORMAT.md §4). */
const SUMMARY_LIMIT = 1024;
/** docs/FORMAT.md §5. */
const PLATFORM = /^[A-Za-z0-9._+-]{1,128}$/;

const NOTHING = {};

/** Values as a package has them: maybe hostile, and null where it has none. */
export interface Claims {
  readonly name: string | null;
  readonly version: string | null;
  readonly platform?: string | null;
  readonly summary?: string | null;
  /** The first of several that is usable counts. */
  readonly homePage?: string | readonly string[] | null;
}

/** Metadata of what a package says. Null without a usable name and version; other values that are not usable are left out. */
export function toMetadata(kind: MetadataKind, claims: Claims): Metadata | null {
  const { name, version, platform = null, summary = null, homePage = null } = claims;
  if (!isWord(name) || !isWord(version)) return null;
  const homePages = typeof homePage === 'string' ? [homePage] : (homePage ?? []);
  const address = homePages.map(withLowerScheme).find(isAddress) ?? null;
  return {
    kind,
    name: copyOf(name),
    version: copyOf(version),
    ...(platform !== null && PLATFORM.test(platform) ? { platform: copyOf(platform) } : NOTHING),
    summary: copyOf(oneLine(summary ?? '', SUMMARY_LIMIT)),
    homePage: address === null ? null : copyOf(address),
  };
}

/** A part of a longer text would keep the whole of it in memory. */
function copyOf(text: string): string {
  return Buffer.from(text).toString();
}

/** A database could hold no other one. */
function isAddress(text: string): boolean {
  return text.length <= ADDRESS_LIMIT && isWebAddress(text);
}

function isWord(text: string | null): text is string {
  return text !== null && text.length <= WORD_LIMIT && isPlainWord(text);
}

/** `http:` and `https` are equally long. */
function withLowerScheme(address: string): string {
  return address.slice(0, 5).toLowerCase() + address.slice(5);
}
