//! Flags of the connection: the API's address, certificates, the source of the keys.

use clap::Args;
use std::path::PathBuf;

const SITE_HELP: &str = "\
Datadog site, such as datadoghq.eu or us5.datadoghq.com [default: the directory's, DD_SITE, or datadoghq.com]";

const URL_HELP: &str = "Full address of the API instead, such as http://127.0.0.1:8080";

/// Connection as typed. Of it the directory keeps the address alone.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionArgs {
    #[arg(long, value_name = "SITE", help = SITE_HELP)]
    pub site: Option<String>,
    #[arg(long, value_name = "URL", conflicts_with = "site", help = URL_HELP)]
    pub api_url: Option<String>,
    /// PEM file of certificates to trust in addition to the system's, such as a company proxy's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Read the keys from lines `DD_API_KEY=...` and `DD_APP_KEY=...` of a file that only you may read, not from the
    /// environment
    #[arg(long, value_name = "FILE", conflicts_with = "key_command")]
    pub key_file: Option<PathBuf>,
    /// Read the keys from the output of a command, such as a password store's: the same lines
    #[arg(long, value_name = "CMD")]
    pub key_command: Option<String>,
    /// Allow an --api-url with http:// to other machines: keys and answers can be read on the way
    #[arg(long)]
    pub insecure_http: bool,
}

impl ConnectionArgs {
    /// Returns true if the command line says where the API is.
    pub(crate) fn is_given(&self) -> bool {
        self.site.is_some() || self.api_url.is_some()
    }
}
