// Express 4 has the types of Express 5 here: the tests use what both have.
declare module 'express4' {
  import express from 'express';
  export default express;
}
