/**
 * The MD5 in an ETag, in lower case: that of most objects which were sent in one part, and which the store has not
 * encrypted with a key of its own. Null if it cannot be one.
 */
export function md5InEtag(etag: string | null): string | null {
  return etag !== null && /^[0-9a-f]{32}$/i.test(etag) ? etag.toLowerCase() : null;
}
