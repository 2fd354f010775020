import { PacksignError } from '../errors.js';
import { fitOf, machineNamed, readPlatform } from '../model/platform.js';
import type { Machine } from '../model/platform.js';
import type { FileEntry } from '../model/file-entry.js';

/** The machine that files are for: the one that the user names, or this one. Throws USAGE. */
export function machineFor(platform: string | null): Machine {
  if (platform === null) return thisMachine();
  const machine = machineNamed(platform);
  if (machine !== null) return machine;
  throw new PacksignError('USAGE', `--platform must name a system or an architecture, not ${platform}`, {
    hint: 'for instance linux-arm64, windows-amd64 or darwin',
  });
}

function thisMachine(): Machine {
  const { platform, arch } = process;
  return { system: platform, architecture: arch, libc: platform === 'linux' ? libcHere() : null };
}

function libcHere(): 'glibc' | 'musl' {
  const { header } = process.report.getReport() as {
    readonly header?: { readonly glibcVersionRuntime?: string };
  };
  return header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

/** `linux-x64`, as errors name a machine. */
export function machineName({ system, architecture }: Machine): string {
  return [system, architecture].filter((part) => part !== null).join('-');
}

interface Placed {
  readonly path: string;
  readonly entry: FileEntry;
}

/**
 * The files that are made for a machine, or else those that are for every one; none where all are for others. Of files
 * that are made for it, those for its own C library come before others, and those that name its system before those that
 * name only its architecture.
 */
export function filesFor<T extends Placed>(files: readonly T[], machine: Machine): readonly T[] {
  const fits = files.map(({ path, entry }) => fitOf({ path, platform: entry.Platform }, machine));
  const made = files.filter((_, at) => fits[at] === 'made');
  if (made.length === 0) return files.filter((_, at) => fits[at] === 'everywhere');
  const other = machine.libc === 'musl' ? 'glibc' : 'musl';
  const platformOf = ({ entry }: T) => readPlatform(entry.Platform ?? '');
  const own = preferred(made, (file) => !platformOf(file).libcs.includes(other));
  const ownLibc =
    machine.libc === 'musl' ? preferred(own, (file) => platformOf(file).libcs.includes('musl')) : own;
  return preferred(ownLibc, ({ path, entry }) => {
    // For no system at all, it fits only if it names none.
    const nowhere = { ...machine, system: 'no system' };
    return fitOf({ path, platform: entry.Platform }, nowhere) === 'other';
  });
}

function preferred<T>(files: readonly T[], isBetter: (file: T) => boolean): readonly T[] {
  const better = files.filter(isBetter);
  return better.length > 0 ? better : files;
}
