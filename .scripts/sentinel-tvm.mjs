#!/usr/bin/env node
/**
 * `sentinel-tvm`, the client: runs under the project's own Node, in the directory that it was
 * called in.
 */
import { enter } from './enter.mjs';

enter(['src/cli/main.ts', ...process.argv.slice(2)], { cwd: process.cwd() });
