//! A node without a network: database, client, pool of transactions, and an author that makes a block
//! when it is told to. What is Lithify's, or not, is its executor's type.

use crate::{
    events,
    interface::{Block, Hash, RuntimeApi},
};
use futures::channel::oneshot;
use sc_basic_authorship::ProposerFactory;
use sc_client_api::{BlockBackend, execution_extensions::ExecutionExtensions};
use sc_client_db::{Backend, BlocksPruning, DatabaseSettings, DatabaseSource, PruningMode};
use sc_consensus::{
    BlockImport, BlockImportParams, ForkChoiceStrategy, ImportResult, LongestChain,
};
use sc_consensus_manual_seal::{
    SealBlockParams, consensus::aura::AuraConsensusDataProvider, seal_block,
};
use sc_executor::RuntimeVersionOf;
use sc_service::{ClientConfig, GenesisBlockBuilder, TFullClient, TaskManager, new_client};
use sc_transaction_pool::{Builder, TransactionPoolHandle};
use sc_transaction_pool_api::{
    ChainEvent, MaintainedTransactionPool, TransactionPool, TransactionSource,
};
use sp_api::ProvideRuntimeApi;
use sp_consensus::BlockOrigin;
use sp_consensus_aura::{AuraApi, SlotDuration};
use sp_core::{
    storage::Storage,
    traits::{CallContext, CodeExecutor},
};
use sp_runtime::{OpaqueExtrinsic, traits::Block as _};
use sp_timestamp::{InherentDataProvider, Timestamp};
use sp_version::RuntimeVersion;
use std::{error::Error, path::Path, sync::Arc};
use tokio::runtime::Handle;

type Client<E> = TFullClient<Block, RuntimeApi, E>;
type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How many blocks behind the best one a block is final by depth alone: none here is.
const FINAL_BY_DEPTH: u64 = 4096;

/// A node.
pub struct Node<E: CodeExecutor + RuntimeVersionOf> {
    /// Ends first: a task that ends for lack of the pool is an error to it.
    tasks: TaskManager,
    client: Arc<Client<E>>,
    backend: Arc<Backend<Block>>,
    pool: Arc<TransactionPoolHandle<Block, Client<E>>>,
    slot: SlotDuration,
}

impl<E: CodeExecutor + RuntimeVersionOf> Node<E> {
    /// Starts a node of a new chain, whose database is in `folder`.
    pub fn start(folder: &Path, genesis: &Storage, executor: E, tokio: Handle) -> Result<Self> {
        let settings = DatabaseSettings {
            trie_cache_maximum_size: Some(64 << 20),
            state_pruning: Some(PruningMode::ArchiveAll),
            source: DatabaseSource::ParityDb { path: folder.into() },
            blocks_pruning: BlocksPruning::KeepAll,
            pruning_filters: vec![],
            metrics_registry: None,
        };
        let backend = Arc::new(Backend::<Block>::new(settings, FINAL_BY_DEPTH)?);
        let tasks = TaskManager::new(tokio, None)?;
        let genesis = GenesisBlockBuilder::new_with_storage(
            genesis.clone(),
            true,
            backend.clone(),
            executor.clone(),
        )?;
        let extensions = ExecutionExtensions::new(None, Arc::new(executor.clone()));
        let client: Client<E> = new_client(
            backend.clone(),
            executor,
            genesis,
            None,
            None,
            extensions,
            Box::new(tasks.spawn_handle()),
            None,
            None,
            ClientConfig::default(),
        )?;
        let client = Arc::new(client);
        let pool: TransactionPoolHandle<Block, Client<E>> =
            Builder::new(tasks.spawn_essential_handle(), client.clone(), true.into()).build();
        let slot = client.runtime_api().slot_duration(client.chain_info().genesis_hash)?;
        Ok(Self { tasks, client, backend, pool: Arc::new(pool), slot })
    }

    /// The hash of the first block.
    pub fn genesis(&self) -> Hash {
        self.client.chain_info().genesis_hash
    }

    /// The version of the code behind the best block.
    pub fn version(&self) -> Result<RuntimeVersion> {
        let best = self.client.chain_info().best_hash;
        Ok(self.client.runtime_version_at(best, CallContext::Offchain)?)
    }

    /// The code behind the best block.
    pub fn code(&self) -> Result<Vec<u8>> {
        Ok(self.client.code_at(self.client.chain_info().best_hash)?)
    }

    /// Makes the next block, of one transaction, in the slot of its number, and imports it.
    pub async fn make(&self, transaction: OpaqueExtrinsic) -> Result<Block> {
        let best = self.client.chain_info();
        self.pool.submit_one(best.best_hash, TransactionSource::External, transaction).await?;

        let time = Timestamp::new(u64::from(best.best_number + 1) * self.slot.as_millis());
        let inherents = move |_: Hash, ()| async move {
            Ok::<_, Box<dyn Error + Send + Sync>>(InherentDataProvider::new(time))
        };
        let aura = AuraConsensusDataProvider::<Block>::new_with_slot_duration(self.slot);
        let mut authorship = ProposerFactory::new(
            self.tasks.spawn_handle(),
            self.client.clone(),
            self.pool.clone(),
            None,
            None,
        );
        let (sender, sealed) = oneshot::channel();
        seal_block::<Block, _, _, _, _, _, _>(SealBlockParams {
            // An error, if the transaction does not get into the block.
            create_empty: false,
            finalize: false,
            parent_hash: None,
            sender: Some(sender),
            pool: self.pool.clone(),
            client: self.client.clone(),
            env: &mut authorship,
            select_chain: &LongestChain::new(self.backend.clone()),
            consensus_data_provider: Some(&aura),
            block_import: &mut self.client.clone(),
            create_inherent_data_providers: &inherents,
        })
        .await;
        let hash = sealed.await??.hash;
        events::at(format!("after block {}", best.best_number + 1));
        self.pool.maintain(ChainEvent::NewBestBlock { hash, tree_route: None }).await;
        let made = self.client.block(hash)?.ok_or("the block that was made is not there")?;
        Ok(made.block)
    }

    /// Imports a block that another node made: executes it, and compares the state's root.
    pub async fn import(&self, block: Block) -> Result<()> {
        let number = block.header.number;
        let (header, body) = block.deconstruct();
        let mut block = BlockImportParams::new(BlockOrigin::NetworkBroadcast, header);
        block.body = Some(body);
        block.fork_choice = Some(ForkChoiceStrategy::LongestChain);
        match BlockImport::import_block(&*self.client, block).await? {
            ImportResult::Imported(_) => Ok(()),
            other => Err(format!("block {number} is not imported: {other:?}").into()),
        }
    }
}
