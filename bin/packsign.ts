#!/usr/bin/env node
import { createRequire } from 'node:module';
import { keepCompiledCode } from '../src/cli/compile-cache.js';

// Code is kept only of what is loaded after this.
keepCompiledCode(process.env);
createRequire(import.meta.url)('../program/cli/packsign.js');
