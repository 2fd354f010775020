import { PacksignError } from '../errors.js';

/** Where a signed directory is published to. */
export type Destination =
  /** A folder: another disk, a mounted host. */
  | { readonly kind: 'folder'; readonly path: string }
  /** What rsync writes to: `HOST:PATH` through ssh, or a daemon, where `host` is null. */
  | { readonly kind: 'rsync'; readonly host: string | null; readonly path: string; readonly target: string }
  /** A bucket of an S3-compatible store. The prefix is empty or ends with a slash. */
  | { readonly kind: 'bucket'; readonly bucket: string; readonly prefix: string };

const FORMS = 'a folder, HOST:PATH, rsync://HOST/MODULE/PATH, or s3://BUCKET/PREFIX';

/** Reads a destination as a user writes it. Throws USAGE. */
export function parseDestination(text: string): Destination {
  if (/[\p{Cc}]/u.test(text) || text.trim() === '') throw refusal(text, 'is not a destination', FORMS);
  // Programs that get it would take it for an option.
  if (text.startsWith('-')) throw refusal(text, 'begins with a dash', `write a folder as ./${text}`);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === 's3') return bucketIn(text);
  if (scheme === 'rsync') return daemonIn(text);
  if (scheme !== undefined) throw unwritable(text, scheme);
  const [, host = '', path = ''] = /^((?:[^/:[]|\[[^\]]*\])*):(.*)$/s.exec(text) ?? [];
  // A single letter is a drive of Windows.
  if (host.length <= 1) return { kind: 'folder', path: text };
  requireHost(text, host);
  if (path.startsWith(':')) return { kind: 'rsync', host: null, path: path.slice(1), target: text };
  return { kind: 'rsync', host, path, target: text };
}

function bucketIn(text: string): Destination {
  const [, bucket = '', key = ''] = /^s3:\/\/([^/?#]*)\/?(.*)$/is.exec(text) ?? [];
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/i.test(bucket)) {
    throw refusal(text, 'names no bucket', 's3://BUCKET/PREFIX');
  }
  const prefix = key.replace(/\/+$/, '');
  if (prefix.split('/').some((part, index) => ['.', '..'].includes(part) || (part === '' && index > 0))) {
    throw refusal(text, 'has a prefix that is not a path', 's3://BUCKET/PREFIX');
  }
  return { kind: 'bucket', bucket, prefix: prefix === '' ? '' : `${prefix}/` };
}

function daemonIn(text: string): Destination {
  const [, host = '', path] = /^rsync:\/\/([^/]+)\/([^/]+(?:\/.*)?)$/is.exec(text) ?? [];
  if (path === undefined) throw refusal(text, 'names no module', 'rsync://HOST/MODULE/PATH');
  requireHost(text, host.replace(/:\d+$/, ''));
  return { kind: 'rsync', host: null, path, target: text };
}

/** Programs would take a host with a dash for an option, and a shell would act on other signs (threat T37). */
function requireHost(text: string, host: string): void {
  if (
    /^(?:[\p{L}\p{N}_][\p{L}\p{N}_.+-]*@)?(?:[\p{L}\p{N}_][\p{L}\p{N}_.-]*|\[[\da-f:.%\w]+\])$/iu.test(host)
  )
    return;
  throw refusal(text, 'does not name a host', 'USER@HOST:PATH');
}

/** Says why it cannot be written to, where people would expect it. */
function unwritable(text: string, scheme: string): PacksignError {
  if (/^https?:\/\/(?:[^/]*\.)?(?:github|gitlab|codeberg)\.[^/]+\//i.test(text)) {
    return refusal(
      text,
      'has no folders',
      'a flat host cannot hold signatures/, where readers look; use a bucket, a web server, or pages of a repository',
    );
  }
  return refusal(text, `cannot be written to through ${scheme}:`, FORMS);
}

function refusal(text: string, why: string, hint: string): PacksignError {
  return new PacksignError('USAGE', `the destination "${text}" ${why}`, { hint });
}

/** Whether a text names a bucket, or is meant to. */
export function isBucketAddress(text: string): boolean {
  return /^s3:/i.test(text);
}
