//! The server: listens on this machine alone, and starts the threads.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;

use super::board::{BoardChoice, BoardThread, LastPicture};
use super::door::Door;
use super::folder::{Folder, FolderError};
use super::looker::Looker;
use super::routes::{App, router};
use super::state::Shared;
use super::teacher::{Keep, Messenger, Teacher};
use crate::features::cache::Cache;
use posy_nn::zoo::backbone::Backbone;

/// The port where it is free: POSY on a telephone's keys.
pub const PORT: u16 = 7679;

/// Threads that decode at most at once.
const DECODING: usize = 4;

/// Errors of the studio.
#[derive(Debug, thiserror::Error)]
pub enum StudioError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The port cannot be listened on.
    #[error("port {port} of this machine: {source}; name another with --http-port")]
    Listen {
        /// The port.
        port: u16,
        /// The system's error.
        source: io::Error,
    },
    /// The server failed.
    #[error("the server failed: {0}")]
    Serve(io::Error),
}

/// Settings of the studio.
pub struct Settings {
    /// The folder.
    pub folder: PathBuf,
    /// The port; `None` for [`PORT`], or any if that is taken.
    pub port: Option<u16>,
    /// The board.
    pub board: BoardChoice,
    /// The network whose last layer is trained.
    pub backbone: Backbone,
    /// The cache of features.
    pub cache: Arc<Cache>,
    /// Keeps the results of a training.
    pub keep: Keep,
}

/// A studio that listens.
pub struct Studio {
    listener: TcpListener,
    door: Door,
    settings: Settings,
    folder: Folder,
}

impl Studio {
    /// Opens the folder and the port.
    ///
    /// # Errors
    /// [`StudioError`].
    pub fn new(settings: Settings) -> Result<Self, StudioError> {
        let folder = Folder::open(&settings.folder)?;
        let listen = |port| {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port))
                .map_err(|source| StudioError::Listen { port, source })
        };
        let listener = match settings.port {
            Some(port) => listen(port)?,
            None => listen(PORT).or_else(|_| listen(0))?,
        };
        let address = listener.local_addr().map_err(StudioError::Serve)?;
        listener.set_nonblocking(true).map_err(StudioError::Serve)?;
        Ok(Studio {
            door: Door::new(address.port()),
            listener,
            settings,
            folder,
        })
    }

    /// The address that the user opens, with the token.
    pub fn address(&self) -> String {
        self.door.address()
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// [`StudioError::Serve`].
    pub fn serve(self) -> Result<(), StudioError> {
        let Studio {
            listener,
            door,
            settings,
            folder,
        } = self;
        let shared = Shared::default();
        let shown = folder.path().display().to_string();
        shared.change(|state| state.folder = shown);
        let looker = Looker::start();
        let (news, heard) = channel();
        let news = Messenger {
            news,
            shared: shared.clone(),
        };
        let teacher = Teacher {
            folder: folder.clone(),
            backbone: settings.backbone,
            cache: settings.cache,
            shared: shared.clone(),
            looker: looker.clone(),
            keep: settings.keep,
        };
        std::thread::spawn(move || teacher.run(&heard));
        let (orders, ordered) = channel();
        let last = LastPicture::default();
        if let BoardChoice::Found(finder) = settings.board {
            let board = BoardThread {
                finder,
                folder: folder.clone(),
                shared: shared.clone(),
                looker: looker.clone(),
                news: news.clone(),
                last: last.clone(),
            };
            std::thread::spawn(move || board.run(&ordered));
        }
        let app = App {
            door: Arc::new(door),
            folder,
            shared,
            looker,
            news,
            orders,
            last,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(DECODING)
            .build()
            .map_err(StudioError::Serve)?;
        runtime.block_on(async {
            let listener =
                tokio::net::TcpListener::from_std(listener).map_err(StudioError::Serve)?;
            axum::serve(listener, router(app))
                .await
                .map_err(StudioError::Serve)
        })
    }
}
