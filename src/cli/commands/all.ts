import type { Listed } from '../command.js';

type Row = readonly [usage: string, summary: string, load: Listed['load']];

// Each command is loaded when it is called, so a run waits for one of them only.
const init = async () => (await import('./init.js')).initCommand;
const keyGenerate = async () => (await import('./key.js')).keyGenerateCommand;
const keyShow = async () => (await import('./key.js')).keyShowCommand;
const keyCheckBackup = async () => (await import('./key-renew.js')).keyCheckBackupCommand;
const keyPublish = async () => (await import('./key-publish.js')).keyPublishCommand;
const keyExtend = async () => (await import('./key-renew.js')).keyExtendCommand;
const keyRotate = async () => (await import('./key-renew.js')).keyRotateCommand;
const keyRevoke = async () => (await import('./key-renew.js')).keyRevokeCommand;
const build = async () => (await import('./build.js')).buildCommand;
const merge = async () => (await import('./merge.js')).mergeCommand;
const diff = async () => (await import('./diff.js')).diffCommand;
const lint = async () => (await import('./lint.js')).lintCommand;
const sign = async () => (await import('./sign.js')).signCommand;
const publish = async () => (await import('./publish.js')).publishCommand;
const watch = async () => (await import('./watch.js')).watchCommand;
const worker = async () => (await import('./worker.js')).workerCommand;
const status = async () => (await import('./status.js')).statusCommand;
const split = async () => (await import('./split.js')).splitCommand;
const page = async () => (await import('./page.js')).pageCommand;
const serve = async () => (await import('./serve.js')).serveCommand;
const exportDatabase = async () => (await import('./export.js')).exportCommand;
const verify = async () => (await import('./verify.js')).verifyCommand;
const trustAdd = async () => (await import('./trust.js')).trustAddCommand;
const trustList = async () => (await import('./trust.js')).trustListCommand;
const trustRefresh = async () => (await import('./trust.js')).trustRefreshCommand;
const trustRemove = async () => (await import('./trust.js')).trustRemoveCommand;
const trustAccept = async () => (await import('./trust.js')).trustAcceptCommand;
const trustExport = async () => (await import('./trust.js')).trustExportCommand;
const list = async () => (await import('./list.js')).listCommand;
const get = async () => (await import('./get.js')).getCommand;

const completion = async () => (await import('./completion.js')).completionCommand;

const MAINTAIN: readonly Row[] = [
  ['init [directory]', 'write packsign.json, the settings of a directory', init],
  ['key generate', 'make an OpenPGP key for signing releases', keyGenerate],
  ['key show <key>', 'show what a key holds, and what verifiers say about it', keyShow],
  ['key check-backup <file>', 'test a backup of a secret key, in memory', keyCheckBackup],
  ['key publish [directory]', 'add keys to keys.asc, which people are told to trust', keyPublish],
  ['key extend <file> [directory]', 'change when a key expires, and publish that', keyExtend],
  ['key rotate <file> [directory]', 'give a key a new signing subkey, and publish it', keyRotate],
  ['key revoke <file> [directory]', 'revoke a key or a subkey, and publish that', keyRevoke],
  ['build [directory]', 'hash every file, write the database; --key signs it', build],
  ['diff [directory]', 'show what the next database would change', diff],
  ['lint [directory]', 'list what you may want to fix before you sign', lint],
  ['sign [directory]', 'sign the waiting database and publish it', sign],
  ['publish [directory] [destinations..]', 'copy a signed directory to where readers fetch it', publish],
  ['watch [directory]', 'keep the database signed while releases land', watch],
  ['status [directory]', 'say what state a directory is in and what to do next', status],
  ['page [directory]', 'write the page where people copy the key and address', page],
  ['serve [directory]', 'show a directory as a web server would', serve],
  ['export [directory]', 'print what is published in another format', exportDatabase],
];

const TRUST: readonly Row[] = [
  ['verify [targets..]', 'check downloaded files, or a database and its files', verify],
  ['trust add <url>', 'trust a database by its key, and remember it', trustAdd],
  ['trust list', 'show the databases that you trust, their keys, and why', trustList],
  ['trust refresh [db..]', 'fetch newer certificates, and see proposed keys', trustRefresh],
  ['trust accept <target>', 'accept a database that does not continue the last one', trustAccept],
  ['trust remove <db>', 'stop trusting a database', trustRemove],
  ['trust export [db..]', 'print addresses and keys, to ship with a program', trustExport],
  ['list [target]', 'list the packages of a database, with its padlock', list],
  ['get <packages..>', 'download packages, exactly as they were signed', get],
];

const SCALE: readonly Row[] = [
  ['split [directory]', 'plan databases for the folders of a large directory', split],
  ['merge <parts..>', 'build a bucket from what several machines found in it', merge],
  ['worker', 'read the files of a bucket for builds on other machines', worker],
];

const SHELL: readonly Row[] = [
  ['completion <shell>', 'print the completion script for bash, zsh or fish', completion],
];

function listed(group: Listed['group'], rows: readonly Row[]): readonly Listed[] {
  return rows.map(([usage, summary, load]) => ({ usage, summary, group, load }));
}

/** Every command, in the order of the help. */
export const COMMANDS: readonly Listed[] = [
  ...listed('maintain', MAINTAIN),
  ...listed('trust', TRUST),
  ...listed('scale', SCALE),
  ...listed('shell', SHELL),
];
