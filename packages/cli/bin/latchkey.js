#!/usr/bin/env node
import process from 'node:process';
import { run } from '../dist/index.js';

// Whoever reads may stop early, as `head` does: the command still ends what it has begun, and its
// exit code is its own.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error) => {
    if (error.code !== 'EPIPE') throw error;
  });

process.exitCode = await run(process.argv.slice(2), process);
