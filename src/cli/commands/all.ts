import type { Listed } from '../command.js';

/** Every command, in the order of the help. Each is loaded when it is called: nobody waits for the others. */
export const COMMANDS: readonly Listed[] = [
  {
    usage: 'init [directory]',
    summary: 'write packsign.json, the settings of a directory',
    group: 'maintain',
    load: async () => (await import('./init.js')).initCommand,
  },
  {
    usage: 'key generate',
    summary: 'make an OpenPGP key for signing releases',
    group: 'maintain',
    load: async () => (await import('./key.js')).keyGenerateCommand,
  },
  {
    usage: 'key show <key>',
    summary: 'show what a key holds, and what verifiers say of it',
    group: 'maintain',
    load: async () => (await import('./key.js')).keyShowCommand,
  },
  {
    usage: 'key check-backup <file>',
    summary: 'try out a backup of a secret key, in memory',
    group: 'maintain',
    load: async () => (await import('./key-renew.js')).keyCheckBackupCommand,
  },
  {
    usage: 'key publish [directory]',
    summary: 'add keys to keys.asc, which people are told to trust',
    group: 'maintain',
    load: async () => (await import('./key-publish.js')).keyPublishCommand,
  },
  {
    usage: 'key extend <file> [directory]',
    summary: 'move the expiry of a key, and publish that',
    group: 'maintain',
    load: async () => (await import('./key-renew.js')).keyExtendCommand,
  },
  {
    usage: 'key rotate <file> [directory]',
    summary: 'give a key a new signing subkey, and publish it',
    group: 'maintain',
    load: async () => (await import('./key-renew.js')).keyRotateCommand,
  },
  {
    usage: 'key revoke <file> [directory]',
    summary: 'revoke a key or a subkey, and publish that',
    group: 'maintain',
    load: async () => (await import('./key-renew.js')).keyRevokeCommand,
  },
  {
    usage: 'build [directory]',
    summary: 'hash every file, write the database; --key signs it',
    group: 'maintain',
    load: async () => (await import('./build.js')).buildCommand,
  },
  {
    usage: 'diff [directory]',
    summary: 'show what the next database would change',
    group: 'maintain',
    load: async () => (await import('./diff.js')).diffCommand,
  },
  {
    usage: 'sign [directory]',
    summary: 'sign the waiting database and publish it',
    group: 'maintain',
    load: async () => (await import('./sign.js')).signCommand,
  },
  {
    usage: 'watch [directory]',
    summary: 'keep the database signed while releases land',
    group: 'maintain',
    load: async () => (await import('./watch.js')).watchCommand,
  },
  {
    usage: 'status [directory]',
    summary: 'say what state a directory is in and what to do next',
    group: 'maintain',
    load: async () => (await import('./status.js')).statusCommand,
  },
  {
    usage: 'page [directory]',
    summary: 'write the page that people copy key and address from',
    group: 'maintain',
    load: async () => (await import('./page.js')).pageCommand,
  },
  {
    usage: 'serve [directory]',
    summary: 'show a directory as a web server would',
    group: 'maintain',
    load: async () => (await import('./serve.js')).serveCommand,
  },
  {
    usage: 'export [directory]',
    summary: 'print what is published in another dialect',
    group: 'maintain',
    load: async () => (await import('./export.js')).exportCommand,
  },
  {
    usage: 'verify [target]',
    summary: 'say whose a database is, and check every archive',
    group: 'trust',
    load: async () => (await import('./verify.js')).verifyCommand,
  },
  {
    usage: 'trust add <url>',
    summary: 'trust a database by its key, and know it from then on',
    group: 'trust',
    load: async () => (await import('./trust.js')).trustAddCommand,
  },
  {
    usage: 'trust list',
    summary: 'show the databases that you trust, their keys, and why',
    group: 'trust',
    load: async () => (await import('./trust.js')).trustListCommand,
  },
  {
    usage: 'trust refresh [db..]',
    summary: 'fetch newer certificates, and see what is proposed',
    group: 'trust',
    load: async () => (await import('./trust.js')).trustRefreshCommand,
  },
  {
    usage: 'trust remove <db>',
    summary: 'trust a database no longer',
    group: 'trust',
    load: async () => (await import('./trust.js')).trustRemoveCommand,
  },
  {
    usage: 'trust export [db..]',
    summary: 'print addresses and keys, to ship with a program',
    group: 'trust',
    load: async () => (await import('./trust.js')).trustExportCommand,
  },
  {
    usage: 'list [target]',
    summary: 'list the packages of a database, with its padlock',
    group: 'trust',
    load: async () => (await import('./list.js')).listCommand,
  },
  {
    usage: 'get <packages..>',
    summary: 'download packages that are what was signed',
    group: 'trust',
    load: async () => (await import('./get.js')).getCommand,
  },
];
