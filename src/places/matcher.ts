import picomatch from 'picomatch';

/** Tells whether one of these globs is about a file; a glob without `/` counts at any depth. */
export function matcherOf(globs: readonly string[]): (path: string) => boolean {
  if (globs.length === 0) return () => false;
  const matchers = globs.map((glob) =>
    picomatch(glob.includes('/') ? glob.replace(/^\//, '') : `**/${glob}`),
  );
  return (path) => matchers.some((isMatch) => isMatch(path));
}
