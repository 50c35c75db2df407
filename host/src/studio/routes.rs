//! Addresses of the server. Everything goes through the door first; see `door.rs`.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use posy_shared::preprocess::Size;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::board::{LastPicture, Order};
use super::door::{Admitted, Door, HEADERS};
use super::folder::{Folder, FolderError, PHOTO_LEN};
use super::looker::{LookError, Looker, PICTURE_LEN, Picture};
use super::png;
use super::state::Shared;
use super::teacher::{Messenger, News};
use crate::dataset::decode::{Limits, decode_to_average};
use crate::dataset::read_bytes;
use crate::device::link::fitted;
use crate::page::{ENGINE_SCRIPT, PLAIN, SIMD128};

/// The page and its parts.
const PAGE: &str = include_str!("../../templates/studio.html");
const SCRIPT: &str = include_str!("../../templates/studio.js");
const STYLE: &str = include_str!("../../templates/studio.css");
const ICON: &str = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'><circle cx='4' cy='4' r='3' fill='#c2185b'/></svg>";

/// Longest wait of a request for a state that is another.
const WAIT: Duration = Duration::from_secs(20);

/// Longer side of a small picture, pixels, about.
const SMALL: u16 = 112;

/// State that the request handlers share.
#[derive(Clone)]
pub(super) struct App {
    pub door: Arc<Door>,
    pub folder: Folder,
    pub shared: Shared,
    pub looker: Looker,
    pub news: Messenger,
    pub orders: Sender<Order>,
    pub last: LastPicture,
}

/// A failure, as the page shows it.
struct Failed(StatusCode, String);

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let mut response = text("application/json", json!({"error": self.1}).to_string());
        *response.status_mut() = self.0;
        response
    }
}

impl From<FolderError> for Failed {
    fn from(error: FolderError) -> Self {
        let status = match &error {
            FolderError::Full(_) => StatusCode::INSUFFICIENT_STORAGE,
            FolderError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            FolderError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                StatusCode::NOT_FOUND
            }
            FolderError::Io { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Failed(status, error.to_string())
    }
}

impl From<LookError> for Failed {
    fn from(error: LookError) -> Self {
        let status = match &error {
            LookError::NoModel => StatusCode::CONFLICT,
            LookError::Picture(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Failed(status, error.to_string())
    }
}

type Answer = Result<Response, Failed>;

/// All addresses.
pub(super) fn router(app: App) -> Router {
    let photo = "/api/photos/{label}/{name}";
    Router::new()
        .route("/", get(async || text("text/html; charset=utf-8", PAGE)))
        .route(
            "/studio.js",
            get(async || text("text/javascript; charset=utf-8", SCRIPT)),
        )
        .route(
            "/studio.css",
            get(async || text("text/css; charset=utf-8", STYLE)),
        )
        .route(
            "/engine.js",
            get(async || text("text/javascript; charset=utf-8", ENGINE_SCRIPT)),
        )
        .route(
            "/posy-simd128.wasm",
            get(async || text("application/wasm", SIMD128)),
        )
        .route(
            "/posy-plain.wasm",
            get(async || text("application/wasm", PLAIN)),
        )
        .route("/icon.svg", get(async || text("image/svg+xml", ICON)))
        .route("/api/state/{seen}", get(state))
        .route("/api/labels/{label}", post(add_label).delete(remove_label))
        .route(
            photo,
            get(small_picture).post(add_photo).delete(remove_photo),
        )
        .route("/api/restore/{label}/{name}", post(restore))
        .route("/api/move/{label}/{name}/{to}", post(relabel))
        .route(
            "/api/look",
            post(look).layer(DefaultBodyLimit::max(PICTURE_LEN)),
        )
        .route("/api/model", get(model))
        .route("/api/board/picture/{number}", get(board_picture))
        .route("/api/board/record/{label}/{burst}", post(record))
        .route("/api/board/{order}", post(order))
        .layer(DefaultBodyLimit::max(PHOTO_LEN))
        .layer(from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

/// Lets a request in or not, and sets the headers of every response.
async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let admitted = app
        .door
        .admit(request.method(), request.uri(), request.headers());
    let mut response = match admitted {
        Err(refused) => {
            let mut response = text("text/plain; charset=utf-8", refused.words());
            *response.status_mut() = StatusCode::FORBIDDEN;
            response
        }
        Ok(Admitted::Known) => next.run(request).await,
        Ok(Admitted::New(cookie)) => {
            let mut response = next.run(request).await;
            response.headers_mut().insert(SET_COOKIE, cookie);
            response
        }
    };
    for (name, value) in HEADERS {
        let name = HeaderName::from_static(name);
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn text(kind: &'static str, body: impl Into<Body>) -> Response {
    ([(CONTENT_TYPE, kind)], body.into()).into_response()
}

fn json_of(value: &Value) -> Response {
    text("application/json", value.to_string())
}

/// Runs what takes long where it holds nothing up.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failed> + Send + 'static,
) -> Result<T, Failed> {
    let failed = |_| {
        Failed(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the request failed".into(),
        )
    };
    spawn_blocking(work).await.map_err(failed)?
}

/// The state, as soon as it is another than that of number `seen`.
async fn state(State(app): State<App>, Path(seen): Path<u64>) -> Response {
    let _ = timeout(WAIT, app.shared.changed(seen)).await;
    // A change between the two is told again.
    let version = app.shared.version();
    let state = app.shared.read(|state| serde_json::to_value(state));
    json_of(&json!({"version": version, "state": state.unwrap_or_default()}))
}

async fn add_label(State(app): State<App>, Path(label): Path<String>) -> Answer {
    change(app, move |folder| folder.add_label(&label)).await
}

async fn remove_label(State(app): State<App>, Path(label): Path<String>) -> Answer {
    change(app, move |folder| folder.remove_label(&label)).await
}

async fn remove_photo(
    State(app): State<App>,
    Path((label, name)): Path<(String, String)>,
) -> Answer {
    change(app, move |folder| folder.remove(&label, &name)).await
}

async fn restore(State(app): State<App>, Path((label, name)): Path<(String, String)>) -> Answer {
    change(app, move |folder| folder.restore(&label, &name)).await
}

async fn relabel(
    State(app): State<App>,
    Path((label, name, to)): Path<(String, String, String)>,
) -> Answer {
    change(app, move |folder| folder.relabel(&label, &name, &to)).await
}

/// Changes something in the folder, and lets the teacher know.
async fn change(
    app: App,
    change: impl FnOnce(&Folder) -> Result<(), FolderError> + Send + 'static,
) -> Answer {
    aside(move || {
        change(&app.folder)?;
        app.news.send(News::Changed);
        Ok(json_of(&json!({})))
    })
    .await
}

/// Adds the photo in the body to a label; the second part of the address is its burst.
async fn add_photo(
    State(app): State<App>,
    Path((label, burst)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    aside(move || {
        let name = app.folder.add(&label, &burst, &body)?;
        app.news.send(News::Photo(app.folder.photo(&label, &name)?));
        Ok(json_of(&json!({"name": name})))
    })
    .await
}

/// A photo at a small size.
async fn small_picture(
    State(app): State<App>,
    Path((label, name)): Path<(String, String)>,
) -> Answer {
    aside(move || {
        let path = app.folder.photo(&label, &name)?;
        let limits = Limits::default();
        let missing =
            |error: &dyn std::fmt::Display| Failed(StatusCode::NOT_FOUND, error.to_string());
        let bytes = read_bytes(&path, &limits).map_err(|error| missing(&error))?;
        let size = Size {
            width: SMALL,
            height: SMALL,
        };
        let small = decode_to_average(&bytes, &limits, size).map_err(|error| missing(&error))?;
        let png = png(&fitted(&small, (SMALL, SMALL))).map_err(|error| missing(&error))?;
        Ok(text("image/png", png))
    })
    .await
}

/// The answer for the picture in the body.
async fn look(State(app): State<App>, body: Bytes) -> Answer {
    aside(move || {
        let look = app.looker.look(Picture::Encoded(body.to_vec()))?;
        let shown = serde_json::to_value(&look.shown).unwrap_or_default();
        Ok(json_of(&json!({"model": look.number, "answer": shown})))
    })
    .await
}

/// The newest model, as a file.
async fn model(State(app): State<App>) -> Answer {
    let current = app.looker.current();
    if current.number == 0 {
        return Err(LookError::NoModel.into());
    }
    let mut response = text("application/octet-stream", current.bytes.to_vec());
    let name = HeaderValue::from_static("attachment; filename=\"model.posy\"");
    response.headers_mut().insert(CONTENT_DISPOSITION, name);
    Ok(numbered(response, current.number))
}

/// Says which model or picture a response is.
fn numbered(mut response: Response, number: u64) -> Response {
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-number"), number.into());
    response
}

/// The board's last picture, whatever the number: it only tells one address from another.
async fn board_picture(State(app): State<App>, Path(_): Path<u64>) -> Answer {
    match app.last.get() {
        (0, _) => Err(Failed(
            StatusCode::NOT_FOUND,
            "the board has sent no picture yet".into(),
        )),
        (number, png) => Ok(numbered(text("image/png", png), number)),
    }
}

async fn record(State(app): State<App>, Path((label, burst)): Path<(String, String)>) -> Answer {
    let folder = app.folder.clone();
    let made = label.clone();
    aside(move || Ok(folder.add_label(&made)?)).await?;
    send(&app, Order::Record { label, burst })
}

async fn order(State(app): State<App>, Path(order): Path<String>) -> Answer {
    let order = match order.as_str() {
        "stop" => Order::Stop,
        "push" => Order::Push,
        "verify" => Order::Verify,
        _ => {
            return Err(Failed(
                StatusCode::NOT_FOUND,
                "there is no such order".into(),
            ));
        }
    };
    send(&app, order)
}

fn send(app: &App, order: Order) -> Answer {
    let connected = app.shared.read(|state| state.board.name.is_some());
    match connected && app.orders.send(order).is_ok() {
        true => Ok(json_of(&json!({}))),
        false => Err(Failed(
            StatusCode::CONFLICT,
            "no board is connected: plug it in".into(),
        )),
    }
}
