import { endianness } from 'node:os';
import { PacksignError } from '../errors.js';
import { fitOf, levelOf, machineNamed, readPlatform } from '../model/platform.js';
import type { Machine } from '../model/platform.js';
import type { FileEntry } from '../model/file-entry.js';

/** The machine that files are for: the one that the user names, or this one. Throws USAGE. */
export function machineFor(platform: string | null): Machine {
  if (platform === null) return thisMachine();
  const machine = machineNamed(platform);
  if (machine !== null) return machine;
  const message = `--platform must name a system or an architecture that packsign knows, not ${platform}`;
  throw new PacksignError('USAGE', message, { hint: 'for instance linux-arm64, windows-amd64 or darwin' });
}

function thisMachine(): Machine {
  const { platform, arch } = process;
  const architecture = arch === 'ppc64' && endianness() === 'LE' ? 'ppc64le' : arch;
  const libc = platform === 'linux' ? libcHere() : null;
  return { system: platform, architecture, level: levelHere(architecture), libc };
}

/** Node was compiled for a level of ARM that runs here. */
function levelHere(architecture: string): number {
  const { arm_version: version } = process.config.variables as { readonly arm_version?: unknown };
  return (architecture === 'arm' && Number(version)) || levelOf('', architecture);
}

function libcHere(): 'glibc' | 'musl' {
  const { header } = process.report.getReport() as {
    readonly header?: { readonly glibcVersionRuntime?: string };
  };
  return header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

/** `linux-x64` or `linux-armv7`, as errors name a machine. */
export function machineName({ system, architecture, level }: Machine): string {
  const leveled =
    architecture === 'arm'
      ? `armv${level}`
      : architecture === 'x64' && level > 1
        ? `amd64v${level}`
        : architecture;
  return [system, leveled].filter((part) => part !== null).join('-');
}

interface Placed {
  readonly path: string;
  readonly entry: FileEntry;
}

/**
 * The files that are made for a machine, or else those that are for every one; none where all are for others. Of files
 * of one kind that are made for it, those for its own C library come before others, then those for the highest level of
 * its architecture. Those that name its system come before those that name only its architecture.
 */
export function filesFor<T extends Placed>(files: readonly T[], machine: Machine): readonly T[] {
  const fits = files.map(({ path, entry }) => fitOf({ path, platform: entry.Platform }, machine));
  const made = files.filter((_, at) => fits[at] === 'made');
  if (made.length === 0) return files.filter((_, at) => fits[at] === 'everywhere');
  const best = new Set(ofEachKind(made, installerOf, (same) => bestOf(same, machine)));
  const ordered = made.filter((file) => best.has(file));
  // For no system at all, it fits only if it names none.
  const nowhere = { ...machine, system: 'no system' };
  return preferred(
    ordered,
    ({ path, entry }) => fitOf({ path, platform: entry.Platform }, nowhere) === 'other',
  );
}

/** The files that `choose` takes among those of each kind. */
export function ofEachKind<T>(
  files: readonly T[],
  kindOf: (file: T) => string,
  choose: (same: readonly T[]) => readonly T[],
): readonly T[] {
  const kinds = Array.from(new Set(files.map(kindOf)));
  return kinds.flatMap((kind) => choose(files.filter((file) => kindOf(file) === kind)));
}

/** The ending of a file that only one program installs; empty for others. */
function installerOf({ path }: Placed): string {
  const [ending = ''] =
    /\.(?:u?deb|ddeb|rpm|apk|pkg\.tar|snap|flatpak|appimage)(?=$|\.[a-z0-9]+$)/i.exec(path) ?? [];
  return ending.toLowerCase();
}

/** Of files of one kind, those for the C library and the highest level of a machine. */
function bestOf<T extends Placed>(made: readonly T[], machine: Machine): readonly T[] {
  const other = machine.libc === 'musl' ? 'glibc' : 'musl';
  const libcsOf = ({ entry }: T) => readPlatform(entry.Platform ?? '').libcs;
  const own = preferred(made, (file) => !libcsOf(file).includes(other));
  const ownLibc = machine.libc === 'musl' ? preferred(own, (file) => libcsOf(file).includes('musl')) : own;
  const levelFor = ({ entry }: T) => levelOf(entry.Platform ?? '', machine.architecture);
  const highest = Math.max(...ownLibc.map(levelFor));
  return ownLibc.filter((file) => levelFor(file) === highest);
}

function preferred<T>(files: readonly T[], isBetter: (file: T) => boolean): readonly T[] {
  const better = files.filter(isBetter);
  return better.length > 0 ? better : files;
}
