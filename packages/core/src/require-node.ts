// Refuses a Node that is too old when this package is imported. Without it, the service would start
// and fail later, at the first use of what older versions do not have.
import process from 'node:process';

const NEEDED = '22.19';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const [leastMajor = 0, leastMinor = 0] = NEEDED.split('.').map(Number);
if (major < leastMajor || (major === leastMajor && minor < leastMinor))
  throw new Error(`Latchkey needs Node ${NEEDED} or later; this is ${process.versions.node}`);
