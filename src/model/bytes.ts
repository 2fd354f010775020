const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;

/** A size for people: `1.4 MB`. */
export function formatBytes(bytes: number): string {
  const unit = UNITS.findIndex((_, index) => bytes < 1000 ** (index + 1) || index === UNITS.length - 1);
  const value = bytes / 1000 ** unit;
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${UNITS[unit] ?? ''}`;
}
