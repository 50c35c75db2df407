'use strict';
// The page of posy studio. The server holds everything; this shows it, and sends pictures.

const UNKNOWN = '_unknown';
// Milliseconds between two recorded pictures.
const RECORD_EVERY = 100;
// The board's last pictures whose answers are kept until the board has answered.
const KEPT_ANSWERS = 16;
const WIDTH = 320, HEIGHT = 240;
const SHOWN_PHOTOS = 24;

const $ = id => document.getElementById(id);
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && typeof value !== 'string') element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
};
const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const part = text => encodeURIComponent(text);
const shownName = label => label === UNKNOWN ? 'None of these' : label;

let state = null, version = 0, connection = 'starting';
// Whether a source was chosen by hand: then none is taken by itself.
let source = 'none', chosen = false, stream = null;
let recording = null;
const queue = [];
let trouble = '', said = '', undo = null;

// The token has done its work: it is a cookie now.
if (location.search) history.replaceState(null, '', '/');

// ---- asking the server

async function ask(method, path, body) {
  const response = await fetch(path, {method, body, cache: 'no-store'});
  const json = await response.json().catch(() => ({}));
  if (!response.ok) throw Object.assign(new Error(json.error || response.statusText), {status: response.status});
  return json;
}

// What the server refuses is said; returns whether it was done.
async function act(method, path, words, body) {
  try {
    await ask(method, path, body);
    say(words || '');
    return true;
  } catch (error) {
    say(error.status ? error.message : 'posy studio does not answer: nothing was changed.', true);
    return false;
  }
}

const sleep = ms => new Promise(done => setTimeout(done, ms));

async function follow() {
  for (;;) {
    try {
      const response = await fetch(`/api/state/${version}`, {cache: 'no-store'});
      if (response.status === 403) connection = 'token';
      else if (!response.ok) connection = 'gone';
      else {
        const json = await response.json();
        // The numbers of another run begin anew.
        version = json.version;
        state = json.state;
        if (connection !== 'up') { connection = 'up'; send(); }
        render();
        continue;
      }
    } catch {
      connection = 'gone';
    }
    version = 0;
    live = agreed = null;
    renderStatus();
    await sleep(700);
  }
}

// ---- pictures on their way to the folder

let sending = false;
async function send() {
  if (sending) return;
  sending = true;
  while (queue.length && connection === 'up') {
    const {label, burst, blob} = queue[0];
    try {
      await ask('POST', `/api/photos/${part(label)}/${part(burst)}`, blob);
      queue.shift();
      trouble = '';
    } catch (error) {
      if (error.status === 507) {
        // Kept here until there is room.
        stopRecording();
        trouble = error.message;
        renderStatus();
        await sleep(3000);
      } else if (error.status && error.status !== 403) {
        queue.shift();
        say(error.message, true);
      } else {
        connection = 'gone';
      }
    }
    renderStatus();
  }
  sending = false;
}

function keep(label, burst, blob) {
  queue.push({label, burst, blob});
  send();
  renderStatus();
}

addEventListener('beforeunload', event => { if (queue.length) event.preventDefault(); });

// ---- the status line

function say(words, poor = false) {
  said = words;
  $('status').classList.toggle('poor', poor);
  renderStatus();
}

function renderStatus() {
  const waiting = queue.length > 1 || (queue.length && connection !== 'up')
    ? ` ${queue.length} pictures are kept in this tab until then.` : '';
  let words = said;
  if (connection === 'token')
    words = 'posy studio was started anew: open the address that it printed, in this browser.' + waiting;
  else if (connection === 'gone')
    words = 'posy studio does not answer. Start it again with the same command.' + waiting;
  else if (trouble) words = trouble + waiting;
  else if (state?.warning) words = state.warning;
  const poor = connection !== 'up' || trouble || state?.warning;
  if (poor) $('status').classList.add('poor');
  const status = $('status');
  if (status.dataset.words === words) return;
  status.dataset.words = words;
  status.textContent = words;
  if (!poor && undo && words === undo.words) {
    const {label, name} = undo;
    const button = make('button', {type: 'button', class: 'quiet'}, 'Undo');
    button.onclick = () => { undo = null; act('POST', `/api/restore/${part(label)}/${part(name)}`, 'It is back.'); };
    status.append(' ', button);
  }
}

// ---- sources of pictures

const canvas = document.createElement('canvas');
canvas.width = WIDTH;
canvas.height = HEIGHT;

// Draws the webcam's picture; whether there is one.
function draw() {
  const video = $('video');
  if (source !== 'webcam' || !video.videoWidth) return false;
  // The centre, in the shape of a board's camera.
  const scale = Math.min(video.videoWidth / WIDTH, video.videoHeight / HEIGHT);
  const [width, height] = [scale * WIDTH, scale * HEIGHT];
  const [x, y] = [(video.videoWidth - width) / 2, (video.videoHeight - height) / 2];
  const context = canvas.getContext('2d', {willReadFrequently: true});
  context.drawImage(video, x, y, width, height, 0, 0, WIDTH, HEIGHT);
  return true;
}

// The webcam's picture as a file without loss: the page names live what it recorded, to the last bit.
// At once: `toBlob` waits for the browser to be idle, which is seconds while pictures are named on a busy machine.
function grab() {
  if (!draw()) return null;
  const [, encoded] = canvas.toDataURL('image/png').split(',');
  return new Blob([Uint8Array.from(atob(encoded), letter => letter.charCodeAt(0))], {type: 'image/png'});
}

function noPicture(words) {
  put($('no-picture'), words);
}

async function use(next) {
  if (stream && next !== 'webcam') {
    stream.getTracks().forEach(track => track.stop());
    stream = null;
  }
  source = next;
  if (next === 'webcam' && !stream) {
    try {
      const found = await navigator.mediaDevices.getUserMedia({video: {width: {ideal: 640}, height: {ideal: 480}}});
      // Meanwhile another source was chosen, or this one again.
      if (source !== 'webcam' || stream) return found.getTracks().forEach(track => track.stop());
      stream = found;
      $('video').srcObject = stream;
      await $('video').play();
      nameFrames();
      stream.getVideoTracks()[0].onended = () => { stream = null; use('none'); noPicture('The webcam was unplugged.'); };
    } catch (error) {
      source = 'none';
      noPicture(error.name === 'NotAllowedError'
        ? 'The browser may not use the webcam: allow it beside the address, then choose Webcam again.'
        : 'No webcam works here: plug one in, close other programs that use it, or drop files on a label.');
    }
  }
  renderSource();
}

function renderSource() {
  const board = source === 'board' && state?.board.name;
  $('use-webcam').setAttribute('aria-pressed', source === 'webcam');
  $('use-board').setAttribute('aria-pressed', source === 'board');
  $('laptop-answer').hidden = source !== 'board';
  $('video').hidden = source !== 'webcam';
  $('picture').hidden = !(board && state.board.picture);
  $('no-picture').hidden = !$('video').hidden || !$('picture').hidden;
  if (source === 'board' && !board) noPicture('No board is connected. Plug it in: it is found by itself.');
  for (const button of document.querySelectorAll('.hold')) button.disabled = source === 'none' || (source === 'board' && !board);
}

$('use-webcam').onclick = () => { chosen = true; use(source === 'webcam' ? 'none' : 'webcam'); };
$('use-board').onclick = () => { chosen = true; use('board'); };

// ---- live answers of this browser

// The newest model, as this browser runs it, and its number.
let live = null;
let program = null, opening = false;

async function openModel() {
  if (opening) return;
  opening = true;
  try {
    const bytes = async path => {
      const response = await fetch(path, {cache: 'no-store'});
      if (!response.ok) throw Error(response.statusText);
      return [new Uint8Array(await response.arrayBuffer()), Number(response.headers.get('x-number'))];
    };
    // A newer one may come while one is opened.
    while (state.model && (live?.number ?? 0) < state.model.number) {
      program ??= await posyEngine.compile(['simd128', 'plain'].map(name => async () => (await bytes(`/posy-${name}.wasm`))[0]));
      const [file, number] = await bytes('/api/model');
      live = {number, model: await posyEngine.open(program, file), board: new Map()};
      agreed = null;
      put($('browser-times'), '');
    }
  } catch (error) {
    // What the connection lost, it brings at the next change of state.
    if (connection === 'up') put($('browser-times'), `This browser does not run the network: ${error.message}. Open the page in a newer one.`);
  }
  opening = false;
}

const answerOf = picture => live.model.answer(picture.width, picture.height, (context, y) => context.drawImage(picture, 0, -y));

// Names each picture of the webcam as it comes: nothing is sent.
function nameFrames() {
  const video = $('video'), mine = stream;
  let rate = 0, last = performance.now();
  const next = () => video.requestVideoFrameCallback ? video.requestVideoFrameCallback(frame) : requestAnimationFrame(frame);
  function frame() {
    if (stream !== mine) return;
    next();
    const now = performance.now();
    rate += 0.1 * (1000 / Math.max(1, now - last) - rate);
    last = now;
    if (live && draw()) showOwn(answerOf(canvas), `, ${rate.toFixed(0)} pictures a second`);
  }
  next();
}

function showOwn({ranking, unknown, milliseconds}, note) {
  bars($('browser-bars'), {unknown, labels: ranking.map(({label, score}) => [label, score])});
  put($('browser-times'), `network ${milliseconds.toFixed(1)} ms${note}`);
}

const times = answer => answer.times.map(([stage, ms]) => `${stage} ${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`).join(', ');

function bars(list, answer) {
  const rows = [];
  if (answer.unknown) rows.push(['unknown', null]);
  for (const [label, score] of answer.labels.slice(0, 5)) rows.push([label, score]);
  while (list.children.length > rows.length) list.lastChild.remove();
  rows.forEach(([label, score], index) => {
    let row = list.children[index];
    if (!row) {
      row = make('li', {}, make('bdi'), make('span', {class: 'share'}), make('div', {class: 'track'}, make('div', {class: 'bar'})));
      list.append(row);
    }
    row.classList.toggle('first', index === 0);
    put(row.children[0], label);
    put(row.children[1], score === null ? '' : `${(100 * score).toFixed(1)}%`);
    row.children[2].firstChild.style.width = `${100 * (score ?? 0)}%`;
  });
}

// ---- recording

async function startRecording(label, button) {
  if (recording) return;
  const burst = Date.now().toString(36) + Math.floor(Math.random() * 1296).toString(36);
  const mine = recording = {label, button, board: source === 'board'};
  button.classList.add('on');
  put(button, 'Recording');
  if (mine.board) {
    await act('POST', `/api/board/record/${part(label)}/${burst}`);
    return;
  }
  while (recording === mine) {
    const begun = performance.now();
    const blob = grab();
    if (blob) keep(label, burst, blob);
    await sleep(Math.max(RECORD_EVERY - (performance.now() - begun), 5));
  }
}

function stopRecording() {
  if (!recording) return;
  const {button, board} = recording;
  recording = null;
  button.classList.remove('on');
  put(button, 'Hold to record');
  if (board) act('POST', '/api/board/stop');
}

addEventListener('blur', stopRecording);
addEventListener('visibilitychange', stopRecording);

function holds(button, label) {
  const start = () => startRecording(label, button);
  button.addEventListener('pointerdown', event => {
    if (event.button !== 0) return;
    try { button.setPointerCapture(event.pointerId); } catch { /* A pointer that is gone already. */ }
    start();
  });
  // Its own recording alone: a button that is pressed takes the focus from the one that was pressed before.
  const stop = () => { if (recording?.button === button) stopRecording(); };
  for (const name of ['pointerup', 'pointercancel', 'lostpointercapture', 'blur']) button.addEventListener(name, stop);
  button.addEventListener('contextmenu', event => event.preventDefault());
  button.addEventListener('keydown', event => {
    if (event.key !== ' ' && event.key !== 'Enter') return;
    event.preventDefault();
    if (!event.repeat) start();
  });
  button.addEventListener('keyup', stop);
  // A click without a pointer or a key, as a screen reader sends it: one picture.
  button.addEventListener('click', async event => {
    if (event.detail !== 0 || recording) return;
    start();
    await sleep(RECORD_EVERY / 2);
    stopRecording();
  });
}

async function addFiles(label, files) {
  const burst = `files${Date.now().toString(36)}`;
  let number = 0;
  // Files are not one burst: each may be of another day.
  for (const file of files) keep(label, `${burst}n${number++}`, file);
}

// ---- cards

const cards = new Map();

function card(name) {
  const isUnknown = name === UNKNOWN;
  const hold = make('button', {type: 'button', class: 'hold', 'aria-label': `Hold to record: ${shownName(name)}`}, 'Hold to record');
  const input = make('input', {type: 'file', multiple: true, accept: 'image/*', 'aria-label': `Add files: ${shownName(name)}`});
  const remove = make('button', {type: 'button', class: 'quiet', 'aria-label': `Take away the label ${shownName(name)}`}, 'Take away');
  const count = make('span', {class: 'soft figures'});
  const thumbs = make('div', {class: 'thumbs'});
  const more = make('button', {type: 'button', class: 'quiet', hidden: true});
  const element = make('article', {class: 'card', 'data-label': name},
    make('div', {class: 'head'}, make('h3', {}, make('bdi', {}, shownName(name))), count),
    isUnknown ? make('p', {class: 'soft'}, 'Your table, your hands, anything else: so that the network can say that it is none of the labels.') : '',
    make('div', {class: 'row'}, hold, make('label', {class: 'file'}, input, 'Add files'), remove),
    thumbs, more);
  const it = {element, count, thumbs, more, remove, all: false, shown: new Map()};
  holds(hold, name);
  input.onchange = () => { addFiles(name, input.files); input.value = ''; };
  remove.onclick = () => act('DELETE', `/api/labels/${part(name)}`, `${shownName(name)}: taken away. Its pictures lie in the folder "removed".`);
  more.onclick = () => { it.all = !it.all; render(); };
  element.addEventListener('dragover', event => { event.preventDefault(); element.classList.add('over'); });
  element.addEventListener('dragleave', () => element.classList.remove('over'));
  element.addEventListener('drop', event => {
    event.preventDefault();
    element.classList.remove('over');
    addFiles(name, event.dataTransfer.files);
  });
  return it;
}
// A file that misses a card is not opened in place of the page.
for (const name of ['dragover', 'drop']) addEventListener(name, event => event.preventDefault());

function renderCards() {
  const labels = state.labels.filter(label => label.name !== UNKNOWN);
  labels.push(state.labels.find(label => label.name === UNKNOWN) || {name: UNKNOWN, photos: []});
  const names = new Set(labels.map(label => label.name));
  for (const [name, it] of cards) if (!names.has(name)) { it.element.remove(); cards.delete(name); }
  const marks = new Map(state.marks.map(mark => [mark.photo, mark.words]));
  labels.forEach((label, index) => {
    let it = cards.get(label.name);
    if (!it) cards.set(label.name, it = card(label.name));
    if ($('cards').children[index] !== it.element) $('cards').insertBefore(it.element, $('cards').children[index] || null);
    const {photos} = label;
    put(it.count, photos.length === 1 ? '1 picture' : `${photos.length} pictures`);
    it.remove.hidden = label.name === UNKNOWN && !photos.length;
    const shown = it.all ? photos : photos.slice(-SHOWN_PHOTOS);
    it.more.hidden = photos.length <= SHOWN_PHOTOS;
    put(it.more, it.all ? 'Show the last ones' : `Show all ${photos.length}`);
    const wanted = new Set(shown.map(photo => photo.name + photo.time));
    for (const [key, thumb] of it.shown) if (!wanted.has(key)) { thumb.remove(); it.shown.delete(key); }
    // The newest first.
    [...shown].reverse().forEach((photo, place) => {
      const key = photo.name + photo.time;
      let thumb = it.shown.get(key);
      if (!thumb) {
        const address = `/api/photos/${part(label.name)}/${part(photo.name)}?${photo.time}`;
        thumb = make('button', {type: 'button'}, make('img', {src: address, alt: '', loading: 'lazy'}));
        thumb.onclick = () => openPhoto(label.name, photo.name, address);
        it.shown.set(key, thumb);
      }
      const words = marks.get(`${label.name}/${photo.name}`) || '';
      thumb.classList.toggle('mark', words !== '');
      thumb.title = words;
      thumb.setAttribute('aria-label', `Picture of ${shownName(label.name)}${words ? `: ${words}` : ''}`);
      if (it.thumbs.children[place] !== thumb) it.thumbs.insertBefore(thumb, it.thumbs.children[place] || null);
    });
  });
}

$('new-label').addEventListener('submit', async event => {
  event.preventDefault();
  const name = $('label-name').value.trim();
  if (name && await act('POST', `/api/labels/${part(name)}`)) $('label-name').value = '';
});

// ---- one picture

let opened = null;

function openPhoto(label, name, address) {
  opened = {label, name};
  put($('photo-title'), `A picture of ${shownName(label)}`);
  $('photo-picture').src = address;
  const mark = state.marks.find(mark => mark.photo === `${label}/${name}`);
  put($('photo-words'), mark ? mark.words : '');
  const others = [...cards.keys()].filter(other => other !== label);
  $('move-to').replaceChildren(make('option', {value: ''}, 'choose a label'), ...others.map(other => make('option', {value: other}, shownName(other))));
  $('photo').showModal();
}

$('close-photo').onclick = () => $('photo').close();
$('remove-photo').onclick = async () => {
  const {label, name} = opened;
  $('photo').close();
  const words = 'The picture is taken away.';
  undo = {label, name, words};
  await act('DELETE', `/api/photos/${part(label)}/${part(name)}`, words);
};
$('move-to').onchange = async () => {
  const to = $('move-to').value;
  const {label, name} = opened;
  if (!to) return;
  $('photo').close();
  await act('POST', `/api/move/${part(label)}/${part(name)}/${part(to)}`, `Moved to ${shownName(to)}.`);
};

// ---- model and board

function renderModel() {
  const {training, model} = state;
  const words = {idle: '', running: 'Training ...'}[training.kind] ?? training.words;
  put($('training'), words);
  $('model').hidden = !model;
  if (!model) return;
  const share = model.accuracy && model.accuracy[1] ? (100 * model.accuracy[0] / model.accuracy[1]).toFixed(1) + '%' : 'Trained';
  put($('accuracy'), share);
  put($('of'), model.accuracy ? `${model.accuracy[0]} of ${model.accuracy[1]} test pictures are named rightly` : '');
  $('headline').replaceChildren(...model.headline.slice(0, 2).map(words => make('p', {}, words)));
  $('confusion').hidden = !model.accuracy;
  const head = make('tr', {}, make('th', {scope: 'col'}, 'shown'), ...model.labels.map(label => make('th', {scope: 'col'}, make('bdi', {}, shownName(label)))));
  const rows = model.confusion.map((row, truth) => make('tr', {}, make('th', {scope: 'row'}, make('bdi', {}, shownName(model.labels[truth]))),
    ...row.map((count, answer) => make('td', count ? {class: truth === answer ? 'right' : 'wrong'} : {}, count ? String(count) : '\u00b7'))));
  $('confusion').replaceChildren(make('table', {}, make('caption', {class: 'soft'}, 'Test pictures: what is shown, and what is answered'),
    make('thead', {}, head), make('tbody', {}, ...rows)));
  $('advice').hidden = !model.advice.length;
  $('advice').lastChild.replaceChildren(...model.advice.map(words => make('li', {}, words)));
  const seconds = model.seconds ? `trained in ${model.seconds.toFixed(2)} s` : 'from an earlier run';
  const fits = model.boards.length ? `fits ${model.boards.join(', ')}` : 'fits no board: choose a smaller network';
  put($('facts'), `${model.architecture}, ${Math.round(model.bytes / 1024)} KiB, ${seconds}; ${fits}.`);
}

let shownPicture = 0;
function renderBoard() {
  const {board, model} = state;
  $('board').hidden = $('use-board').hidden = !board.wanted;
  if (!board.wanted) return;
  if (board.name && source === 'none' && !chosen) use('board');
  put($('board-name'), board.name
    ? `${board.name} on ${board.port}. ${board.current ? 'It runs this model.' : model ? 'It does not run this model yet.' : ''}`
    : 'No board is connected.');
  put($('board-words'), board.words);
  $('push').disabled = !board.name || !model || board.current || board.pushing !== null;
  $('verify').disabled = !board.name || !board.current;
  $('pushing').hidden = board.pushing === null;
  $('pushing').value = board.pushing ?? 0;
  $('board-answer').hidden = !board.answer;
  if (board.answer) {
    bars($('board-bars'), board.answer);
    put($('board-times'), times(board.answer) + (board.rate ? `; ${board.rate} pictures a second` : ''));
  }
  compare();
  if (source === 'board' && board.picture !== shownPicture) {
    shownPicture = board.picture;
    $('picture').src = `/api/board/picture/${board.picture}`;
    lookAtBoard();
  }
}

// What laptop and browser say of the board's picture.
let looking = false;
async function lookAtBoard() {
  if (looking || !state.model) return;
  looking = true;
  try {
    const response = await fetch(`/api/board/picture/${shownPicture}`, {cache: 'no-store'});
    const number = Number(response.headers.get('x-number'));
    const picture = await response.blob();
    if (live) {
      const bitmap = await createImageBitmap(picture, {colorSpaceConversion: 'none'});
      const {board} = live;
      const own = answerOf(bitmap);
      bitmap.close();
      board.set(number, own.outputs);
      if (board.size > KEPT_ANSWERS) board.delete(board.keys().next().value);
      showOwn(own, '');
      compare();
    }
    const {answer} = await ask('POST', '/api/look', picture);
    bars($('answer'), answer);
    put($('times'), times(answer));
  } catch { /* The next picture is newer. */ }
  looking = false;
}

// Whether this browser had the board's logits, of the last picture that both have answered.
let agreed = null;
function compare() {
  const {same, compared} = state.board;
  const own = compared && live?.number === compared.model ? live.board.get(compared.picture) : undefined;
  if (own) agreed = own.length === compared.logits.length && own.every((value, index) => value === compared.logits[index]);
  const element = $('same');
  element.className = same === null ? '' : same && agreed !== false ? 'good' : 'poor';
  put(element, same === null ? ''
    : !same ? '\u2717 the logits differ between laptop and board'
    : agreed === false ? '\u2717 the logits differ between board and browser'
    : agreed ? '\u2713 the same logits on laptop, board and in this browser' : '\u2713 the same logits on laptop and board');
}

function render() {
  put($('folder'), state.folder);
  renderStatus();
  renderCards();
  renderModel();
  renderBoard();
  renderSource();
  openModel();
}

$('push').onclick = () => act('POST', '/api/board/push');
$('verify').onclick = () => act('POST', '/api/board/verify');

follow();
